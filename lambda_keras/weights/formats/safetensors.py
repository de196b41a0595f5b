"""Reading and writing `.safetensors` files, which hold tensors and nothing that could run."""

import os
from collections.abc import Mapping

import numpy as np
import safetensors.numpy

from lambda_keras.atomic import replacing


def read_safetensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The tensors of a file by their names there.

    Raises:
        safetensors.SafetensorError: The file is damaged.
    """
    return safetensors.numpy.load_file(path)


def write_safetensors(
    tensors: Mapping[str, np.ndarray], path: str | os.PathLike, metadata: dict[str, str] | None = None
) -> None:
    """Writes tensors to a file, which is there whole or not at all.

    Args:
        tensors: A dict from names to arrays.
        path: The file.
        metadata: A dict of strings.

    Raises:
        OSError: It cannot be written.
    """
    tensors = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    with replacing(path) as partial:
        # Not by `save_file`, whose error on a full disk is not the system's, and whose files only their owner reads.
        partial.write_bytes(safetensors.numpy.save(tensors, metadata))
