"""Weights between this package's models and timm's, tensor by tensor in both directions; complete or an error."""

import itertools
import os
import re
from collections.abc import Iterable, Mapping

import keras
import numpy as np

from lambda_keras.weights.assignment import listing, variables_by_name
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats.safetensors import write_safetensors
from lambda_keras.weights.formats.timm_pairs import pairs_of_lambda, pairs_of_model


def is_timm(tensors: Iterable[str]) -> bool:
    """Whether names of tensors are those of a timm ResNet."""
    return any(name.startswith(("stem.", "stages.", "head.")) for name in tensors)


def from_timm(model: keras.Model, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts the state dict of a timm model.

    Names and layouts are checked here, sizes where the tensors are assigned: another number of classes and other
    input channels come through as they are, and so does a classifier that `model` has not.

    Args:
        model: A model of `lambda_resnet26t`, `lambda_resnet26rpt_256` or `lambda_resnet50ts`, with other blocks too.
        tensors: A mapping from timm's names to NumPy arrays.

    Returns:
        A dict from our names to arrays, as `lambda_keras.weights.assignment.assign` takes it.

    Raises:
        WeightsError: A tensor is missing, unknown or of another layout, or `model` has what timm's models have not.

    Example:
        >>> tensors = read_safetensors("model.safetensors")
        >>> assign(model, from_timm(model, tensors), "model.safetensors")
    """
    variables = variables_by_name(model)
    return _convert(pairs_of_model(model), variables, tensors, model.name)


def to_timm(model: keras.Model) -> dict[str, np.ndarray]:
    """Converts the weights of a model to a state dict that the timm model of the same name loads.

    Args:
        model: As for `from_timm`.

    Returns:
        A dict from timm's names to NumPy arrays. What came through `from_timm` comes back bit for bit; the counters of
        batches are 0.

    Raises:
        WeightsError: `model` has what timm's models have not.
    """
    return _convert_back(pairs_of_model(model), variables_by_name(model))


def export_to_timm(model: keras.Model, path: str | os.PathLike) -> None:
    """Writes the weights of a model as a `.safetensors` file that timm loads.

    Args:
        model: As for `from_timm`.
        path: The file; it is there whole or not at all.

    Raises:
        WeightsError: `model` has what timm's models have not.

    Example:
        >>> export_to_timm(model, "model.safetensors")
        >>> timm.create_model("lambda_resnet26t", checkpoint_path="model.safetensors")  # where torch is
    """
    write_safetensors(to_timm(model), path, {"format": "pt"})


def lambda_layer_from_timm(layer: keras.Layer, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts the state dict of a timm `LambdaLayer`.

    Args:
        layer: A built `LambdaLayer` of the same sizes, on maps `[batch, height, width, channels]`, with
            `batch_norm_epsilon=1e-5`, and with `use_position_bias=True` where its scope is local. A pool after timm's
            layer (`stride=2`) has no weights.
        tensors: A mapping from timm's names to NumPy arrays.

    Returns:
        A dict from the paths of the layer's variables to arrays, as `assign` takes it with the layer.

    Raises:
        WeightsError: A tensor is missing, unknown or of another layout, or timm's layer cannot be as `layer` is.
    """
    return _convert(pairs_of_lambda(layer), variables_by_name(layer), tensors, layer.name)


def lambda_layer_to_timm(layer: keras.Layer) -> dict[str, np.ndarray]:
    """Converts the weights of a layer, as in `lambda_layer_from_timm`, to the state dict of a timm `LambdaLayer`."""
    return _convert_back(pairs_of_lambda(layer), variables_by_name(layer))


def _convert(pairs, variables, tensors, name):
    """Arrays by our names from tensors by timm's."""
    shapes = {pair.timm: _timm_shape(pair, variables) for pair in pairs}
    known = {*shapes, *_counters(pairs)}
    needed = [pair.timm for pair in pairs if not pair.is_of_classifier]
    present = [pair for pair in pairs if pair.timm in tensors]
    problems = [
        *(f"nothing for {timm} {list(shapes[timm])}" for timm in needed if timm not in tensors),
        *(f"{timm} {list(tensors[timm].shape)} fits nowhere" for timm in tensors if timm not in known),
        *(
            f"{pair.timm} has shape {list(tensors[pair.timm].shape)}, the model's has {list(shapes[pair.timm])}"
            for pair in present
            if not _has_layout(pair, tensors[pair.timm].shape, shapes[pair.timm])
        ),
    ]
    if problems:
        cause = _likely_cause(needed, tensors)
        raise WeightsError(f"The timm weights do not fit {name}: {listing(problems)}. {cause}")
    converted: dict[str, np.ndarray] = {}
    for pair in present:
        array = _rearrange(tensors[pair.timm], pair.timm_axes, pair.our_axes)
        ends = itertools.accumulate(variables[ours].shape[-1] for ours in pair.ours[:-1])
        converted.update(zip(pair.ours, np.split(array, list(ends), axis=-1), strict=True))
    return converted


def _convert_back(pairs, variables):
    """Tensors by timm's names from the variables' values."""
    tensors = {counter: np.zeros((), "int64") for counter in _counters(pairs)}
    for pair in pairs:
        if pair.ours[0] in variables:
            arrays = [variables[ours].numpy() for ours in pair.ours]
            tensors[pair.timm] = _rearrange(np.concatenate(arrays, axis=-1), pair.our_axes, pair.timm_axes)
    return tensors


def _counters(pairs):
    """Names of PyTorch's counts of batches, which it reads only where moving averages have no momentum."""
    return [
        pair.timm.replace("running_var", "num_batches_tracked") for pair in pairs if pair.timm.endswith("running_var")
    ]


def _rearrange(array, axes, new_axes):
    """The array with its axes in a new order; axes `1`, of length 1, are dropped from the old and put into the new."""
    kept = axes.replace("1", "")
    array = np.squeeze(array, tuple(index for index, axis in enumerate(axes) if axis == "1"))
    array = array.transpose([kept.index(axis) for axis in new_axes if axis != "1"])
    array = np.expand_dims(array, tuple(index for index, axis in enumerate(new_axes) if axis == "1"))
    return np.ascontiguousarray(array)


def _timm_shape(pair, variables):
    """The shape of timm's tensor for these variables; letters for a classifier that is not there."""
    shapes = [variables[ours].shape for ours in pair.ours if ours in variables]
    if not shapes:
        return tuple(pair.timm_axes)
    sizes = dict(zip(pair.our_axes, shapes[0], strict=True))
    sizes[pair.our_axes[-1]] = sum(shape[-1] for shape in shapes)
    return tuple(1 if axis == "1" else sizes[axis] for axis in pair.timm_axes)


def _has_layout(pair, shape, expected):
    """Whether a tensor can be rearranged: rank, axes of length 1, and the width that several variables share."""
    fixed = "1" if len(pair.ours) == 1 else f"1{pair.our_axes[-1]}"
    return len(shape) == len(expected) and all(
        size == wanted for axis, size, wanted in zip(pair.timm_axes, shape, expected, strict=True) if axis in fixed
    )


def _likely_cause(needed, names):
    """A sentence about what makes the difference, from timm's names that the model needs and that there are."""
    if any(name.endswith("qkv.bias") for name in names):
        return "They are of a layer with `qkv_bias=True`; the paper's projections have no bias, and so have ours."
    if _describe(needed) != _describe(names):
        return f"They have {_describe(names)}, the model needs {_describe(needed)}."
    return "Blocks and tables are the model's: something was lost, added or reshaped, or a layer has other arguments."


def _describe(names):
    """Blocks of each stage and the kind of position tables, from timm's names."""
    blocks = {match.groups() for match in (re.match(r"stages\.(\d+)\.(\d+)\.", name) for name in names) if match}
    counts = ", ".join(str(sum(stage == number for number, _ in blocks)) for stage in "0123")
    local = any(name.endswith("conv_lambda.weight") for name in names)
    tables = "local" if local else "global" if any(name.endswith("pos_emb") for name in names) else "no"
    return f"{counts} blocks in four stages and {tables} position tables" if blocks else f"{tables} position tables"
