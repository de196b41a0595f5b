"""Reading weight files as data: their tensors by name, whatever the format. Nothing in a file is executed."""

import enum
import io
import os
import pathlib
import zipfile

import keras
import numpy as np

from lambda_keras.text import first_line
from lambda_keras.weights import reference
from lambda_keras.weights.assignment import variables_by_name
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats import hdf5, timm
from lambda_keras.weights.formats.pickles import refuse_pickle
from lambda_keras.weights.formats.safetensors import read_safetensors
from lambda_keras.weights.reference import Checkpoint
from lambda_keras.wildcards import without_wildcards

FORMATS = (
    ".safetensors (of this package or of timm), .weights.h5, .keras, or the prefix of a TensorFlow checkpoint, such as "
    "ckpt-1 beside ckpt-1.index"
)


class Format(enum.Enum):
    """A format of weights, in words."""

    CHECKPOINT = "TensorFlow checkpoint"
    SAFETENSORS = "safetensors"
    WEIGHTS_H5 = ".weights.h5 of Keras 3"
    H5 = "HDF5"
    KERAS = ".keras"


# The first that fits counts.
ENDINGS = {
    ".safetensors": Format.SAFETENSORS,
    ".weights.h5": Format.WEIGHTS_H5,
    ".h5": Format.H5,
    ".keras": Format.KERAS,
}


def recognise(path: str | os.PathLike) -> tuple[Format | None, pathlib.Path]:
    """Says of which format a file of weights is, by its name.

    Args:
        path: The file, or the prefix or the index of a TensorFlow checkpoint.

    Returns:
        The format, `None` where the name is of none, and the path: of a checkpoint the prefix.

    Raises:
        FileNotFoundError: There is no such file.
        WeightsError: It is a pickle.
    """
    place = reference.of_path(path)
    if isinstance(place, Checkpoint):
        return Format.CHECKPOINT, place.path
    refuse_pickle(path)
    if not place.path.is_file():
        raise FileNotFoundError(f"No weights file at '{path}': give the path of {FORMATS}.")
    return next((kind for ending, kind in ENDINGS.items() if place.path.name.endswith(ending)), None), place.path


def read_tensors(path: str | os.PathLike, model: keras.Model) -> dict[str, np.ndarray]:
    """The tensors of a weights file, by the names of the model's variables.

    Args:
        path: A `.safetensors` file of this package or of timm, a `.weights.h5` or `.keras` file of Keras 3, or the
            prefix of a TensorFlow checkpoint.
        model: The built model that they are for: it knows the order of a layer's variables, and timm's names.

    Returns:
        A dict from names, as `variables_by_name` gives them, to arrays. Tensors that are not the model's come along, so
        that `assign` can name them.

    Raises:
        FileNotFoundError: There is no such file.
        WeightsError: The file is damaged, a pickle, or of an unknown format.
    """
    kind, path = recognise(path)
    match kind:
        case Format.CHECKPOINT:
            return _reading(_read_checkpoint, path, model)
        case Format.SAFETENSORS:
            tensors = _reading(read_safetensors, path)
            return timm.from_timm(model, tensors) if timm.is_timm(tensors) else tensors
        case Format.WEIGHTS_H5:
            return _reading(_read_h5, path, model)
        case Format.KERAS:
            return _reading(_read_keras, path, model)
    legacy = " An .h5 file of Keras 2 is not read, but `warm_start` takes those of ResNet-RS." * (kind is Format.H5)
    raise WeightsError(f"'{path}' is of no format that is read here. Give {FORMATS}.{legacy}")


def _reading(read, path, *arguments):
    try:
        return read(path, *arguments)
    except WeightsError:
        raise
    # What the libraries raise on damaged bytes is of a dozen types, and changes between their versions.
    except Exception as error:
        raise WeightsError(
            f"'{path}' is damaged, or not what its name says: {first_line(error)}. Get it again."
        ) from error


def _read_keras(path, model):
    # The archive has a check sum for each of its files, which `read` verifies.
    with zipfile.ZipFile(path) as archive:
        return _read_h5(io.BytesIO(archive.read("model.weights.h5")), model)


def _read_h5(file, model):
    import h5py

    names: dict[str, list[str]] = {}
    for name in variables_by_name(model):
        layer, _, _ = name.rpartition("/")
        names.setdefault(layer, []).append(name)
    with h5py.File(file, "r") as archive:
        tensors = {}
        for path, number, dataset in _datasets(hdf5.member(archive, "layers"), (), set()):
            layer = _without_models(path, names)
            known = dict(enumerate(names.get(layer, ())))
            name = known.get(number, f"{layer}/variable {number}")
            if name in tensors:
                raise ValueError(f"two values for {name}")
            tensors[name] = hdf5.values(dataset)
        return tensors


def _without_models(path, names):
    """A layer's path in a file without the names of the models that it is inside, which variables' names may lack."""
    parts = path.split("/")
    paths = ["/".join(parts[start:]) for start in range(len(parts))]
    return next((shorter for shorter in paths if shorter in names), path)


def _datasets(group, layers, seen):
    """Yields `(path of the layer's name, number of the variable, dataset)` of all layers in a group not seen yet."""
    address = hdf5.address(group)
    if address in seen:
        # With two links to each of n groups there are 2^n paths.
        raise ValueError(f"{group.name!r} is a group that other links lead to")
    seen.add(address)
    if "vars" in group:
        variables = hdf5.member(group, "vars")
        layers = (*layers, variables.attrs["name"])
        for number in variables:
            yield "/".join(layers), int(number), hdf5.member(variables, number)
    for name in group:
        if name != "vars":
            yield from _datasets(hdf5.member(group, name), layers, seen)


def _read_checkpoint(prefix, model):
    # Only for this format: the library runs on any backend.
    import tensorflow as tf
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    # The numbers are read when they are asked for, so within the block.
    with without_wildcards(prefix) as plain:
        reader = tf.train.load_checkpoint(str(plain))
        graph = TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        # A checkpoint holds counters, metrics and the state of an optimizer too. Layers call their variables otherwise.
        kinds = {name.rpartition("/")[2] for name in variables_by_name(model)}
        return {
            attribute.full_name: reader.get_tensor(attribute.checkpoint_key)
            for node in graph.nodes
            for attribute in node.attributes
            if attribute.full_name.rpartition("/")[2] in kinds
        }
