"""A place to write an artifact before it takes its name, so that nobody ever sees half of one."""

import contextlib
import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from zoo.errors import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Gives a hidden folder inside `parent` that is removed at the end, whatever happens.

    It is on the file system of `parent`, so that what is finished in it can be renamed into place in one
    step. Its name is no number: a server that watches `parent` for versions passes over it, even after a kill
    that left it behind.

    Args:
        parent: The folder that shall hold the artifact; made if it is missing.

    Raises:
        UserError: `parent` cannot be made or written to, or there is no room left.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".lambda-export-", dir=parent)
    except OSError as error:
        raise UserError(f"cannot write to {parent}: {error.strerror}") from error
    with scratch as name:
        try:
            yield Path(name)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise UserError(f"cannot write to {parent}: {error.strerror}; make room there") from error
        # What TensorFlow makes of the same numbers.
        except (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError) as error:
            raise UserError(f"cannot write to {parent}: {error.message.splitlines()[0]}; make room there") from error
