"""The epochs of a training, in Orbit's loop: steps, checkpoints, an evaluation after each, and when to stop."""

import contextlib
import io
import time
from pathlib import Path
from typing import Any

import orbit

from lambda_keras.zoo import run_folder
from lambda_keras.zoo.errors import StoppedError, UserError
from lambda_keras.zoo.training.checkpoints import Checkpoints
from lambda_keras.zoo.training.event_log import EventLog
from lambda_keras.zoo.training.final_weights import FinalWeights
from lambda_keras.zoo.training.monitoring import Monitoring
from lambda_keras.zoo.training.strategy import is_chief, workers_agree
from lambda_keras.zoo.training.trainer import Trainer


class Epochs:
    """Runs the epochs of a training, from its newest checkpoint on.

    Args:
        trainer: Of the training.
        evaluator: What returns the figures after an epoch.
        final_weights: Where the weights of the best epoch are kept.
        folder: The run folder.
        verbose: Whether to show the progress.

    Attributes:
        checkpoints: Its `lambda_keras.zoo.training.checkpoints.Checkpoints`; the newest one is restored.
        monitoring: Its `lambda_keras.zoo.training.monitoring.Monitoring`.

    Raises:
        UserError: No checkpoint can be read, or the workers do not see the same ones.
    """

    def __init__(
        self,
        trainer: Trainer[Any],
        evaluator: orbit.AbstractEvaluator,
        final_weights: FinalWeights,
        folder: Path,
        verbose: bool,
    ):
        self._trainer = trainer
        self._training = trainer.training
        self._length = trainer.task.length
        self._final_weights = final_weights
        self._interval = self._training.checkpoint_steps or self._length.steps_per_epoch
        chief = is_chief(trainer.strategy)
        self.checkpoints = Checkpoints(trainer, folder / run_folder.CHECKPOINTS, self._interval, chief)
        board = folder / run_folder.TENSORBOARD
        with _orbit_quiet():
            # It restores the newest checkpoint.
            self._controller = orbit.Controller(
                global_step=trainer.step,
                trainer=trainer,
                evaluator=evaluator,
                strategy=trainer.strategy,
                train_actions=[lambda output: self.monitoring.show(output)],
                steps_per_loop=self._steps_of_loop,
                checkpoint_manager=self.checkpoints,
                summary_manager=EventLog(board / "training" if chief else None, trainer.step),
                eval_summary_manager=EventLog(board / "validation" if chief else None, trainer.step),
                # Orbit does not write there; without a folder of its own it would take the other log.
                eval_summary_dir=str(board / "validation"),
            )
        if not workers_agree(trainer.strategy, self._step):
            raise UserError(f"the workers restored different checkpoints; --out ({folder}) must be a folder of all")
        # Only now is it known which epochs are done.
        self.monitoring: Monitoring = Monitoring(trainer, folder, verbose)

    def train(self) -> None:
        """Trains the epochs that are left, or until early stopping; leaves a checkpoint of the last step done.

        Raises:
            StoppedError: A signal asked for it; the checkpoint is written.
            NonFiniteLossError: The loss is infinite or not a number.
            UserError: No image can be read, or a checkpoint, metrics or TensorBoard's events cannot be written.
        """
        self.monitoring.introduce()
        self._trainer.train_dataset = self._trainer.stream(self._step)
        try:
            self._train_epochs()
        except StoppedError:
            self._save()
            raise
        self._save()

    def close(self) -> None:
        """Ends the bar, and removes what only this process needs."""
        self.monitoring.close()
        self.checkpoints.close()

    @property
    def _step(self):
        return int(self._trainer.step.numpy())

    def _train_epochs(self):
        seconds, first_step = 0.0, self._step
        while True:
            epoch = self._length.epochs_after(self._step)
            is_end = self._step == self._length.end_of_epoch(epoch)
            if is_end and epoch > len(self.monitoring.log.rows):
                self._end_epoch(epoch, seconds, (self._step - first_step) * self._training.batch_size)
            if epoch == self._length.epochs or self._stops_early():
                break
            if is_end:
                self._trainer.start_epoch()
            start, first_step = time.perf_counter(), self._step
            with _orbit_quiet():
                self._controller.train(self._length.end_of_epoch(epoch + 1), checkpoint_at_completion=False)
            seconds = time.perf_counter() - start

    def _end_epoch(self, epoch, seconds, images):
        with _orbit_quiet():
            validation = self._controller.evaluate()
        self.monitoring.add_epoch(epoch, validation, seconds, images)
        if self._final_weights.are_best and self.monitoring.log.epochs_without_progress() == 0:
            # Before the row is written: a resumed run that finds the row does not come back to this epoch.
            self._final_weights.keep_as_best()
        self.monitoring.write_epoch()

    def _stops_early(self):
        patience = self._training.early_stopping_epochs
        return patience is not None and self.monitoring.log.epochs_without_progress() >= patience

    def _steps_of_loop(self, step):
        """Steps until the next look at the loss or the next checkpoint."""
        return min(self._training.steps_per_loop, self._interval - int(step) % self._interval)

    def _save(self):
        self.checkpoints.save(self._step, check_interval=False)


@contextlib.contextmanager
def _orbit_quiet():
    """Keeps Orbit's reports, which it prints, from between the lines of the progress."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
