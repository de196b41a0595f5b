"""Where the C++ code of TensorFlow and LiteRT talks."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def standard_error_to(path: Path) -> Iterator[None]:
    """Sends what the process, its C++ code too, prints on stderr to a file.

    What matters of it is in its exceptions too.

    Args:
        path: The file to write.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with path.open("wb") as file:
            os.dup2(file.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
