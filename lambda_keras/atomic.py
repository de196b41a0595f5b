"""Files that are never half written."""

import contextlib
import glob
import os
import pathlib
import secrets
import stat
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a path beside `path` to write to, and renames it to `path` when the block ends without an error.

    Of several writers at a time each has a path of its own, and the last one that ends counts.

    Args:
        path: The file to make or replace.

    Yields:
        The path to write to, of an empty file, with the same ending. It is removed if the block fails.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "metrics.csv")
        >>> with replacing(file) as partial:
        ...     _ = partial.write_text("epoch,loss")
        >>> file.read_text()
        'epoch,loss'
    """
    path = pathlib.Path(path)
    partial = _make_beside(path)
    try:
        mode = stat.S_IMODE(partial.stat().st_mode)
        yield partial
        # Some libraries put a file of their own in its place, which nobody else may read.
        if stat.S_IMODE(partial.stat().st_mode) != mode:
            partial.chmod(mode)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def partials(path: str | os.PathLike) -> list[pathlib.Path]:
    """What writers of a file that were killed have left beside it; those that live have theirs there too."""
    path = pathlib.Path(path)
    return list(path.parent.glob(_partial_name("?" * 8, glob.escape(_ending(path)))))


def mode_of_new_files(folder: str | os.PathLike) -> int:
    """The mode that the umask gives to a file that is made in a folder, which must exist."""
    probe = _make_beside(pathlib.Path(folder, "mode"))
    try:
        return stat.S_IMODE(probe.stat().st_mode)
    finally:
        probe.unlink()


def _make_beside(path):
    """Makes an empty file with a name that nobody else has or can guess, and the mode that the umask gives it."""
    while True:
        partial = path.with_name(_partial_name(secrets.token_hex(4), _ending(path)))
        with contextlib.suppress(FileExistsError):
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            return partial


def _partial_name(number, ending):
    return f".partial.{number}.{ending}"


def _ending(path):
    # Keras and NumPy go by the ending, and that of weights has two parts. Long names have no room for more.
    return path.name[-50:]
