"""A disk that is full."""

import contextlib
import os
import resource
import sys

SIZE = 5_000  # bytes


@contextlib.contextmanager
def little_room():
    """Files of this process and of those that it starts end at 5 kB, as on a disk that is full.

    No compiled modules are written: Python does not see that there is room for a part of one only, and whatever imports
    it afterwards fails.
    """
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = sys.dont_write_bytecode, os.environ.get("PYTHONDONTWRITEBYTECODE")
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        sys.dont_write_bytecode = before[0]
        if before[1] is None:
            del os.environ["PYTHONDONTWRITEBYTECODE"]
        else:
            os.environ["PYTHONDONTWRITEBYTECODE"] = before[1]
