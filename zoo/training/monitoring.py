"""What a training shows and writes while it runs: a bar, `metrics.csv` and pictures for TensorBoard."""

from pathlib import Path

from lambda_keras.zoo import run_folder
from lambda_keras.zoo.errors import writing_run
from lambda_keras.zoo.training.assemble import Assembly
from lambda_keras.zoo.training.event_log import EventLog
from lambda_keras.zoo.training.metrics_log import MetricsLog
from lambda_keras.zoo.training.position_images import position_table_images
from lambda_keras.zoo.training.progress import Progress
from lambda_keras.zoo.training.strategy import is_chief
from lambda_keras.zoo.training.sums import Sums


class Monitoring:
    """The progress of a training, and its rows of metrics. Every worker has the rows, the chief alone writes them.

    Args:
        assembly: The training, its checkpoint restored.
        folder: The run folder.
        verbose: Whether to show the progress.

    Attributes:
        log: The `lambda_keras.zoo.training.metrics_log.MetricsLog` of the epochs that are done.
    """

    def __init__(self, assembly: Assembly, folder: Path, verbose: bool):
        self._trainer = assembly.trainer
        self._training = assembly.trainer.recipe.training
        step = int(self._trainer.step.numpy())
        self.log = MetricsLog(folder / run_folder.METRICS, epochs=step // assembly.steps_per_epoch)
        images = self._training.epochs * assembly.steps_per_epoch * self._training.batch_size
        self._progress = Progress(images, step * self._training.batch_size, verbose)
        self._is_chief = is_chief(self._trainer.strategy)
        tables = folder / run_folder.TENSORBOARD / "position_tables"
        self._tables = EventLog(tables if self._is_chief else None, self._trainer.step)

    def show(self, output: dict[str, float]) -> None:
        """Moves the bar after some steps.

        Args:
            output: What the trainer returned after them.
        """
        self._progress.update(int(self._trainer.step.numpy()) * self._training.batch_size, output)

    def add_epoch(self, epoch: int, validation: dict[str, float], seconds: float, images: int) -> None:
        """Adds the row of an epoch to the log, which is not written yet.

        Args:
            epoch: Its number, from 1.
            validation: What the evaluator returned after it.
            seconds: What its training steps took.
            images: Images of these steps; 0 where an earlier process did them all.
        """
        sums = Sums.of(self._trainer.sums.numpy())
        self.log.add(
            epoch=epoch,
            loss=sums.mean_loss,
            accuracy=sums.accuracy,
            val_loss=validation["loss"],
            val_accuracy=validation["accuracy"],
            learning_rate=self._trainer.learning_rate,
            seconds=seconds if images else None,
            images_per_second=images / seconds if images else None,
            unreadable_images=sums.unreadable,
        )

    def write_epoch(self) -> None:
        """Writes the log and the pictures of the position tables, and shows the newest row."""
        row = self.log.rows[-1]
        if self._is_chief:
            with writing_run(self.log.path.parent):
                self.log.write()
            self._tables.write_pictures(position_table_images(self._trainer.model), row["epoch"])
        self._progress.epoch(row, self._training.epochs)

    def close(self) -> None:
        """Ends the bar."""
        self._progress.close()
