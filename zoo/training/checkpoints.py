"""Checkpoints of a training: all that the next step depends on, kept so that no fault loses more than the newest.

The position in the data needs no place in them, because it follows from the step; nor does the state of dropout.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import tensorflow as tf

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training.trainer import Trainer

KEEP = 3
# What TensorFlow raises on files that are cut off, changed or gone.
DAMAGED = (tf.errors.OpError, IndexError, RuntimeError, ValueError, AssertionError)


class Checkpoints(tf.train.CheckpointManager):
    """TensorFlow's manager, which also survives damaged and unwritable files.

    Args:
        trainer: A `lambda_keras.zoo.training.trainer.Trainer`.
        folder: The folder of the checkpoints, which all workers can read.
        interval: Steps between two checkpoints.
        is_chief: Whether this worker's files are the ones to keep. The others must take part in saving, so they write
            to a folder of their own that is removed.
    """

    def __init__(self, trainer: Trainer, folder: str | Path, interval: int, is_chief: bool = True):
        state = tf.train.Checkpoint(
            step=trainer.step,
            passes=trainer.passes,
            sums=trainer.sums,
            weights=trainer.weights,
            # They do not change, but a resumed run does not load the weights of the start again.
            frozen_weights=trainer.frozen_weights,
            statistics=trainer.averages.statistics,
            optimizer=[variable.value for variable in trainer.optimizer.variables],
        )
        self._folder = str(folder)
        self._trainer = trainer
        self._scratch = None if is_chief else tempfile.TemporaryDirectory()
        super().__init__(
            state,
            self._folder if is_chief else self._scratch.name,
            max_to_keep=KEEP,
            # Orbit saves nothing unless both of these are given.
            step_counter=trainer.step,
            checkpoint_interval=interval,
        )

    def save(
        self,
        checkpoint_number: int | None = None,
        check_interval: bool = True,
        options: tf.train.CheckpointOptions | None = None,
    ) -> str | None:
        """Writes a checkpoint, by default at multiples of the interval only.

        Args:
            checkpoint_number: The step, for its name.
            check_interval: Whether to write nothing at other steps than multiples of the interval.
            options: TensorFlow's.

        Returns:
            The path of the checkpoint, or `None` if none was written.

        Raises:
            UserError: It cannot be written. What was written of it is removed; all earlier ones stay.
        """
        if check_interval and int(self._trainer.step.numpy()) % self.checkpoint_interval:
            return None
        self._trainer.averages.share_statistics()
        try:
            return super().save(checkpoint_number, check_interval=False, options=options)
        except (tf.errors.OpError, OSError) as error:
            self._remove_partial(checkpoint_number)
            raise UserError(
                f"cannot write the checkpoint of step {checkpoint_number} to {self._folder}: {_first_line(error)}; "
                f"{self.describe_latest()}; make room and run the same command again"
            ) from error

    def restore_or_initialize(self) -> str | None:
        """Restores the newest checkpoint that can be read; a damaged one is reported and the one before it taken.

        Returns:
            The path of the checkpoint, or `None` if there is none.

        Raises:
            UserError: There are checkpoints, but none can be read.
        """
        paths = self._paths()
        for path in paths:
            try:
                self.checkpoint.restore(path).assert_consumed()
                # As the manager itself does: this step is saved, and not again over its only copy.
                self._last_checkpoint_step = int(self._trainer.step.numpy())
                return path
            except DAMAGED as error:
                print(
                    f"cannot read checkpoint {path} ({_first_line(error)}); trying the one before it", file=sys.stderr
                )
        if paths:
            raise UserError(f"no checkpoint in {self._folder} can be read; start anew with --overwrite")
        return None

    def describe_latest(self) -> str:
        """Says in words which checkpoint is the newest."""
        paths = self._paths()
        return f"the last good checkpoint is {paths[0]}" if paths else "there is no checkpoint yet"

    def _paths(self):
        """The checkpoints, newest first."""
        state = tf.train.get_checkpoint_state(self._folder)
        return list(reversed(state.all_model_checkpoint_paths)) if state else []

    def _remove_partial(self, number):
        prefix = f"{self._prefix}-{number}"
        for path in tf.io.gfile.glob([f"{prefix}.*", f"{prefix}_temp*"]):
            if tf.io.gfile.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                tf.io.gfile.remove(path)


def _first_line(error):
    return str(error).strip().splitlines()[0]
