"""The folder a training run leaves behind, in which no file is ever half written."""

import contextlib
import os
from pathlib import Path

from zoo.errors import UserError

RECIPE = "recipe.yaml"
METRICS = "metrics.csv"
MODEL = "model.keras"
TEST_SPLIT = "test.npz"
CURVES = "curves.png"
PREDICTIONS = "predictions.png"


def start(path):
    """Makes the folder of a new run, and removes the files of an earlier run there.

    A folder holds one run: a run that is stopped must not leave its curve beside the model of another.

    Args:
        path: The folder. Files in it that are not a run's own stay.

    Returns:
        The folder as a `pathlib.Path`.

    Raises:
        UserError: The folder cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (RECIPE, METRICS, MODEL, TEST_SPLIT, CURVES, PREDICTIONS):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write a run to {folder}: {error.strerror}; give another folder with --out") from error
    return folder


@contextlib.contextmanager
def replacing(path):
    """Gives a path beside `path` to write to, and renames it to `path` when the block ends without an error.

    Args:
        path: The file to make or replace.

    Yields:
        The path to write to, with the same ending. It is removed if the block fails.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "metrics.csv")
        >>> with replacing(file) as partial:
        ...     _ = partial.write_text("epoch,loss")
        >>> file.read_text()
        'epoch,loss'
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
