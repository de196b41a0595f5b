"""What is in a file of weights, by the names there, without the model that it is for."""

import dataclasses
import io
import zipfile
from pathlib import Path

import numpy as np

from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.finite import not_finite
from lambda_keras.weights.formats import hdf5, open_file, safetensors, timm
from lambda_keras.weights.formats.open_file import Format
from lambda_keras.zoo.errors import UserError


class DamagedError(UserError):
    """A file of weights cannot be read, though its name is that of one."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """The tensors of a file.

    Attributes:
        format: What kind of file it is.
        tensors: A dict from the names in the file to arrays.
    """

    format: str
    tensors: dict[str, np.ndarray]

    def not_finite(self) -> list[str]:
        """Names of the tensors in which a value is infinite or not a number."""
        return not_finite(self.tensors.items())


def read(path: str | Path) -> Contents:
    """Reads a file of weights.

    Args:
        path: A `.safetensors`, `.weights.h5`, `.h5` or `.keras` file, or the prefix of a TensorFlow checkpoint.

    Returns:
        A `Contents`.

    Raises:
        UserError: There is no such file, or it is a pickle or of an unknown format.
        DamagedError: It cannot be read.
    """
    try:
        kind, path = open_file.recognise(path)
    except FileNotFoundError as error:
        raise UserError(f"no such file: {path}, and no such name in the catalog of weights") from error
    except WeightsError as error:
        raise UserError(error) from error
    match kind:
        case Format.CHECKPOINT:
            return _reading(path, kind.value, _read_checkpoint)
        case Format.SAFETENSORS:
            contents = _reading(path, kind.value, safetensors.read_safetensors)
            names = "timm's names" if timm.is_timm(contents.tensors) else "names of this package"
            return dataclasses.replace(contents, format=f"{kind.value}, {names}")
        case Format.WEIGHTS_H5 | Format.H5:
            return _reading(path, kind.value, _read_h5)
        case Format.KERAS:
            return _reading(path, kind.value, _read_keras)
    raise UserError(f"{path} is of no format that is read here: {open_file.FORMATS}, or an .h5 file")


def _reading(path, kind, read_tensors):
    try:
        return Contents(kind, read_tensors(path))
    # What the libraries raise on damaged bytes is of a dozen types.
    except Exception as error:
        raise DamagedError(f"{path} is damaged, or not what its name says: {error}") from error


def _read_keras(path):
    with zipfile.ZipFile(path) as archive:
        return _read_h5(io.BytesIO(archive.read("model.weights.h5")))


def _read_h5(file):
    import h5py

    tensors: dict[str, np.ndarray] = {}

    def collect(name, member):
        # Links out of their place are not visited.
        if isinstance(member, h5py.Dataset):
            tensors[name] = hdf5.values(hdf5.member(archive, name))

    with h5py.File(file, "r") as archive:
        archive.visititems(collect)
    return tensors


def _read_checkpoint(prefix):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    # The graph of the objects is a string.
    names = [name for name, kind in reader.get_variable_to_dtype_map().items() if kind != tf.string]
    return {name: np.asarray(reader.get_tensor(name)) for name in sorted(names)}
