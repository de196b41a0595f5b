"""A place to write an artifact before it takes its name, so that nobody ever sees half of one."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from lambda_keras.wildcards import WILDCARDS, has_wildcards
from lambda_keras.zoo.errors import UserError, reason, writing

# What the system says where there is no room.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_loadable(folder: Path) -> None:
    """Refuses a place from which TensorFlow loads no SavedModel.

    Args:
        folder: The SavedModel's folder or one above it, which need not exist.

    Raises:
        UserError: Its path has wildcards.
    """
    if has_wildcards(folder.absolute()):
        raise UserError(
            f"TensorFlow, in a server too, loads no SavedModel from {folder.absolute()}: it reads "
            f"{' '.join(WILDCARDS)} in a path as wildcards; give a folder without them"
        )


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
        raise UserError(f"cannot write to {parent}: {reason(error)}") from error
    with scratch as name:
        try:
            yield Path(name)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise UserError(f"cannot write to {parent}: {reason(error)}; make room there") from error
        # What TensorFlow makes of the same numbers.
        except (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError) as error:
            raise UserError(f"cannot write to {parent}: {error.message.splitlines()[0]}; make room there") from error


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Gives a folder for what nobody keeps, where temporary files go, that is removed at the end, whatever happens.

    Raises:
        UserError: There is nowhere to make it, or there is no room left.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="lambda-export-")
    except OSError as error:
        raise UserError(f"cannot make a temporary folder: {reason(error)}; make room, or set TMPDIR") from error
    with folder as name:
        try:
            yield Path(name)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise UserError(
                f"cannot write to the temporary folder {Path(name).parent}: {reason(error)}; make room there, or set "
                "TMPDIR to another folder"
            ) from error


def put_files(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Writes files into a folder: all beside their places first, then each is renamed.

    Args:
        folder: Made if it is missing. What has the same names there is replaced.
        contents: Their bytes by name.

    Returns:
        The files.

    Raises:
        UserError: The folder or a file in it cannot be written.
    """
    with scratch_folder(folder) as scratch:
        for name, content in contents.items():
            (scratch / name).write_bytes(content)
        for name in contents:
            with writing(folder / name):
                os.replace(scratch / name, folder / name)
    return [folder / name for name in contents]


def write_array(path: Path, shape: tuple[int, ...], dtype: str, parts: Iterable[np.ndarray]) -> None:
    """Writes an .npy file part by part.

    Not by `np.save`, whose error on a full disk has no number, nor by a memory map, where a full disk ends the process.

    Args:
        path: The file.
        shape: Of the whole array.
        dtype: Its type.
        parts: What it consists of along its first axis.
    """
    with open(path, "wb") as file:
        descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
        np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": tuple(shape)})
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data)
