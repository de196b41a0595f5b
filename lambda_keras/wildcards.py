"""Paths with wildcards: TensorFlow looks for a checkpoint as a shell does for `ckpt-*`, whatever a folder is called."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

WILDCARDS = "*?[\\"


def has_wildcards(path: str | os.PathLike) -> bool:
    """Whether TensorFlow takes a path for a pattern.

    Of a checkpoint in `runs[1]` it then finds nothing, and of those in `run*` it removes what is in `run2`.

    Example:
        >>> has_wildcards("runs[1]/checkpoints"), has_wildcards("runs/checkpoints")
        (True, False)
    """
    return any(character in WILDCARDS for character in str(path))


@contextlib.contextmanager
def without_wildcards(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a path that TensorFlow takes as it is: the same one or, where that has wildcards, one of links.

    Args:
        path: A folder, or what the paths of the files of a checkpoint have in common. It must exist.

    Yields:
        The path. Links are removed when the block ends, what was written through them stays.

    Example:
        >>> with without_wildcards("runs[1]/ckpt-5") as prefix:  # doctest: +SKIP
        ...     tf.train.load_checkpoint(str(prefix))
    """
    if not has_wildcards(path):
        yield pathlib.Path(path)
        return
    path = pathlib.Path(path).resolve()
    with tempfile.TemporaryDirectory(prefix="lambda-keras-") as place:
        for entry in path.parent.iterdir():
            if entry.name.startswith(path.name):
                ending = entry.name.removeprefix(path.name)
                pathlib.Path(place, f"link{ending}").symlink_to(entry, target_is_directory=entry.is_dir())
        yield pathlib.Path(place, "link")
