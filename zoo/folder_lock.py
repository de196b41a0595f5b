"""One training at a time in a folder: a lock that the system takes back from a process that is killed."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from lambda_keras.zoo.errors import UserError, writing_to

LOCK = ".lock"


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Keeps other trainings out of a folder for the length of a block.

    The folder is made where it is missing, and removed again if the block leaves nothing in it. On a file system
    without locks nobody is kept out.

    Args:
        path: The folder.

    Raises:
        UserError: Another training has it, or it cannot be made or written to.
    """
    folder = Path(path)
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = _lock(folder)
    try:
        yield
    finally:
        # First the name, while the lock is held: who opens it from now on makes a file of its own.
        (folder / LOCK).unlink(missing_ok=True)
        os.close(file)
        with contextlib.suppress(OSError):
            for parent in made:
                parent.rmdir()


def _lock(folder):
    """An open file with the lock, which says whose it is."""
    path = folder / LOCK
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(file, 1000).decode(errors="replace") or "which has just begun"
            os.close(file)
            raise UserError(
                f"another training ({holder}) writes to {folder}; wait for its end, or give another folder with --out"
            ) from error
        except OSError:
            return file
        # The one that had the lock before may have removed the file after it was opened here.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file)):
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
            return file
        os.close(file)
