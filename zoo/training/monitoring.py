"""What a training shows and writes while it runs: a bar, `metrics.csv` and pictures for TensorBoard."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from lambda_keras.zoo import run_folder
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.errors import writing_run
from lambda_keras.zoo.training.event_log import EventLog
from lambda_keras.zoo.training.metrics_log import MetricsLog
from lambda_keras.zoo.training.position_images import position_table_images
from lambda_keras.zoo.training.progress import Progress
from lambda_keras.zoo.training.strategy import is_chief
from lambda_keras.zoo.training.trainer import Trainer


class Monitoring:
    """The progress of a training, and its rows of metrics. Every worker has the rows, the chief alone writes them.

    Args:
        trainer: Of the training, its checkpoint restored.
        folder: The run folder.
        verbose: Whether to show the progress.

    Attributes:
        log: The `lambda_keras.zoo.training.metrics_log.MetricsLog` of the epochs that are done.
    """

    def __init__(self, trainer: Trainer[Any], folder: Path, verbose: bool):
        self._trainer = trainer
        self._task = task = trainer.task
        self._batch_size = trainer.training.batch_size
        self._verbose = verbose
        step = int(trainer.step.numpy())
        self.log = MetricsLog(folder / run_folder.METRICS, task, epochs=task.length.epochs_after(step))
        self._progress = Progress(task.length.steps * self._batch_size, task, step * self._batch_size, verbose)
        self._is_chief = is_chief(trainer.strategy)
        tables = folder / run_folder.TENSORBOARD / "position_tables"
        self._tables = EventLog(tables if self._is_chief else None, self._trainer.step)

    def introduce(self) -> None:
        """Prints what is about to be trained, on what, and where it starts."""
        if not self._verbose:
            return
        trainer, step = self._trainer, int(self._trainer.step.numpy())
        devices = {device.device_type for device in tf.config.list_logical_devices()}
        device = next(kind for kind in ("TPU", "GPU", "CPU") if kind in devices)
        replicas = trainer.strategy.num_replicas_in_sync
        for line in self._task.introduction():
            say(line)
        print(f"{trainer.model.name}: {trainer.model.count_params():,} parameters, on {replicas} {device}", flush=True)
        if step:
            epoch = self._task.epochs_of_images(step)
            print(f"Resuming from the checkpoint of step {step} (epoch {epoch:.2f})", flush=True)

    def show(self, output: dict[str, float]) -> None:
        """Moves the bar after some steps.

        Args:
            output: What the trainer returned after them.
        """
        self._progress.update(int(self._trainer.step.numpy()) * self._batch_size, output)

    def add_epoch(self, epoch: int, validation: dict[str, float | None], seconds: float, images: int) -> None:
        """Adds the row of an epoch to the log, which is not written yet.

        Args:
            epoch: Its number, from 1.
            validation: What the evaluator returned after it.
            seconds: What its training steps took.
            images: Images of these steps; 0 where an earlier process did them all.
        """
        sums = self._task.sums.of(self._trainer.sums.numpy())
        self.log.add(
            epoch=epoch,
            **self._task.figures(sums, validation),
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
        self._progress.epoch(row, self._task.length.epochs)

    def close(self) -> None:
        """Ends the bar."""
        self._progress.close()
