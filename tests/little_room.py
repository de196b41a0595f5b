"""A disk that is full."""

import contextlib
import resource
import sys

import pytest

SIZE = 5_000  # bytes


@contextlib.contextmanager
def little_room():
    """Files of this process and of those that it starts end at 5 kB, as on a disk that is full.

    No compiled modules are written: Python does not see that there is room for a part of one only, and whatever imports
    it afterwards fails.
    """
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, most))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
