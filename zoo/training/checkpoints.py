"""Checkpoints of a training: all that the next step depends on, kept so that no fault loses more than the newest.

The position in the data needs no place in them, because it follows from the step; nor does the state of dropout.
"""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from lambda_keras.text import first_line
from lambda_keras.wildcards import without_wildcards
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training.trainer import Trainer

KEEP = 3
# What TensorFlow raises on files that are cut off, changed or gone.
DAMAGED = (tf.errors.OpError, IndexError, RuntimeError, ValueError, AssertionError)


def written(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, newest first.

    Args:
        folder: The folder, which need not exist.

    Returns:
        What the paths of the files of each have in common.
    """
    state = tf.train.get_checkpoint_state(str(folder))
    return [Path(folder, Path(path).name) for path in reversed(state.all_model_checkpoint_paths)] if state else []


class Checkpoints(tf.train.CheckpointManager):
    """TensorFlow's manager, which also survives damaged and unwritable files.

    Args:
        trainer: A `lambda_keras.zoo.training.trainer.Trainer`.
        folder: The folder of the checkpoints, in a folder that exists and that all workers can read.
        interval: Steps between two checkpoints.
        is_chief: Whether this worker's files are the ones to keep. The others must take part in saving, so they write
            to a folder of their own that is removed.
    """

    def __init__(self, trainer: Trainer[Any], folder: str | Path, interval: int, is_chief: bool = True):
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
        self._trainer = trainer
        self._folder = Path(folder)
        self._open = contextlib.ExitStack()
        # The folder, as TensorFlow takes it; it is made with the first checkpoint, the run folder is there.
        self._plain = self._open.enter_context(without_wildcards(self._folder.parent)) / self._folder.name
        scratch = None if is_chief else self._open.enter_context(tempfile.TemporaryDirectory())
        super().__init__(
            state,
            scratch or str(self._plain),
            max_to_keep=KEEP,
            # Orbit saves nothing unless both of these are given.
            step_counter=trainer.step,
            checkpoint_interval=interval,
        )
        self._remove_unfinished()

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
            A path of the checkpoint, or `None` if none was written.

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
                f"cannot write the checkpoint of step {checkpoint_number} to {self._folder}: {first_line(error)}; "
                f"{self.describe_latest()}; make room and run the same command again"
            ) from error

    def restore_or_initialize(self) -> str | None:
        """Restores the newest checkpoint that can be read; a damaged one is reported and the one before it taken.

        Returns:
            The path of the checkpoint, or `None` if there is none.

        Raises:
            UserError: There are checkpoints, but none can be read.
        """
        paths = written(self._folder)
        for path in paths:
            try:
                self.checkpoint.restore(str(self._plain / path.name)).assert_consumed()
                # As the manager itself does: this step is saved, and not again over its only copy.
                self._last_checkpoint_step = int(self._trainer.step.numpy())
                return str(path)
            except DAMAGED as error:
                say(f"cannot read checkpoint {path} ({first_line(error)}); trying the one before it", file=sys.stderr)
        if paths:
            raise UserError(
                f"no checkpoint in {self._folder} can be read; give another folder with --out to start anew"
            )
        return None

    def describe_latest(self) -> str:
        """Says in words which checkpoint is the newest."""
        paths = written(self._folder)
        return f"the last good checkpoint is {paths[0]}" if paths else "there is no checkpoint yet"

    def close(self) -> None:
        """Removes what only this process needs."""
        self._open.close()

    def _remove_partial(self, number):
        for path in Path(self.directory).glob(f"ckpt-{number}.*"):
            path.unlink(missing_ok=True)
        self._remove_unfinished()

    def _remove_unfinished(self):
        """Removes what TensorFlow calls otherwise until it is whole, which a killed run has left."""
        # Of this worker's own folder: another one may be at work in its.
        folder = Path(self.directory)
        for path in folder.glob("ckpt-*_temp"):
            shutil.rmtree(path, ignore_errors=True)
        for path in [*folder.glob("ckpt-*.tempstate*"), *folder.glob("checkpoint.tmp*")]:
            path.unlink(missing_ok=True)
