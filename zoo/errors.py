"""The errors that end a command in one line."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from lambda_keras.text import first_line
from lambda_keras.weights.errors import WeightsError

# Of a value in a message.
LONGEST_VALUE = 200


class UserError(ValueError):
    """Something the user typed, wrote or pointed at is wrong; the message says what, and what is allowed.

    `lambda-zoo` prints it as one line and ends with exit status 2. Any other exception is a bug of ours and keeps
    its traceback.
    """


class NonFiniteLossError(UserError):
    """The loss is infinite or not a number."""


class TryAgainError(Exception):
    """The training ended, but the same command resumes it; `lambda-zoo` says so by exit status 75."""


class StoppedError(TryAgainError):
    """A signal asked the training to stop.

    Args:
        step: The steps that are done; `None` for all.
    """

    def __init__(self, step: int | None = None):
        done = "the last step" if step is None else f"step {step}"
        super().__init__(f"stopped by a signal after {done}; the same command resumes it")
        self.step = step


class WorkerLostError(TryAgainError):
    """Another worker of the training is gone."""


def reason(error: OSError) -> str:
    """What the system, or else the library, says of an error.

    Example:
        >>> reason(OSError(28, "No space left on device")), reason(OSError("Cannot call rmtree on a symbolic link"))
        ('No space left on device', 'Cannot call rmtree on a symbolic link')
    """
    return error.strerror or str(error)


@contextlib.contextmanager
def writing(path: str | Path, remedy: str = "") -> Iterator[None]:
    """Makes a `UserError` of what the operating system says where a file cannot be written.

    Args:
        path: The file.
        remedy: What the message ends in.

    Example:
        >>> with writing("picture.png"):
        ...     raise OSError(28, "No space left on device")
        Traceback (most recent call last):
        lambda_keras.zoo.errors.UserError: cannot write picture.png: No space left on device
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}{remedy}") from error


def writing_to(folder: str | Path) -> AbstractContextManager[None]:
    """The same of the folder that `--out` names."""
    return writing(f"to {folder}", "; give another folder with --out")


def writing_run(folder: str | Path) -> AbstractContextManager[None]:
    """The same of the folder of a training, which continues where it was once there is room."""
    return writing(f"to {folder}", "; make room there and run the same command again")


@contextlib.contextmanager
def writing_by_tensorflow(path: str | Path, remedy: str = "") -> Iterator[None]:
    """Makes a `UserError` of what TensorFlow says where it cannot write a file; its errors are not the system's.

    Args:
        path: As for `writing`.
        remedy: As for `writing`.
    """
    # Not above: commands that need no TensorFlow have errors too.
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise UserError(f"cannot write {path}: {first_line(error)}{remedy}") from error


@contextlib.contextmanager
def errors_of_weights() -> Iterator[None]:
    """Makes a `UserError` of what `lambda_keras` raises where weights are missing, damaged or do not fit.

    Example:
        >>> with errors_of_weights():  # doctest: +SKIP
        ...     lk.load_weights(model, "model.safetensors")
    """
    try:
        yield
    except (WeightsError, FileNotFoundError) as error:
        raise UserError(error) from error


def shown(value: object) -> str:
    """A value as Python writes it, cut where it is long: a message is one line.

    Example:
        >>> shown("a")
        "'a'"
    """
    try:
        text = repr(value)
    # Python writes no number of more than 4,300 digits.
    except ValueError:
        return "a number of too many digits"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
