"""Files that are never half written."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
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
    path = pathlib.Path(path)
    # Keras and NumPy go by the ending, and that of weights has two parts.
    partial = path.with_name(f".partial.{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
