"""TensorBoard's events: scalars and pictures, in one folder of a run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orbit
import tensorflow as tf

from lambda_keras.text import first_line
from lambda_keras.zoo.errors import UserError


class EventLog(orbit.utils.SummaryManager):
    """Orbit's writer of scalars, which writes pictures too and says in one line that the disk is full.

    A file of events only grows, and each process has its own. Where the disk is full, the last record may be cut off;
    TensorBoard reads all before it.

    Args:
        folder: The folder, made with the first event; `None` to write nothing, as all workers but the chief.
        step: The variable whose value the scalars are of.

    Raises:
        UserError: By all methods: an event cannot be written.
    """

    def __init__(self, folder: Path | None, step: tf.Variable):
        super().__init__(None if folder is None else str(folder), tf.summary.scalar, step)
        self._folder = folder

    def summary_writer(self, relative_path: str = "") -> tf.summary.SummaryWriter:
        """TensorFlow's writer, whose file is opened at the first call.

        Args:
            relative_path: A folder below that of the log.
        """
        with self._writing():
            return super().summary_writer(relative_path)

    def write_summaries(self, summary_dict: dict[str, float]) -> None:
        """Writes scalars.

        Args:
            summary_dict: Each value by its tag.
        """
        with self._writing():
            super().write_summaries(summary_dict)

    def write_pictures(self, pictures: dict[str, np.ndarray], epoch: int) -> None:
        """Writes pictures.

        Args:
            pictures: By its tag, each as `tf.summary.image` takes it: uint8 `[1, height, width, 3]`.
            epoch: Of which they are.
        """
        # What is written waits in a queue; the end of the block empties it.
        with self._writing(), self.summary_writer().as_default():
            for tag, picture in pictures.items():
                tf.summary.image(tag, picture, step=epoch)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            # Of a file that is open: "its path; what the system says".
            reason = first_line(error).rpartition("; ")[2]
            raise UserError(
                f"cannot write to {self._folder}: {reason}; make room there and run the same command again"
            ) from error
