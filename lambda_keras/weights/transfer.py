"""Weights of a model for another one of the same architecture: other classes, image size or image channels."""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from lambda_keras.layers import LambdaLayer
from lambda_keras.weights.assignment import variables_by_name
from lambda_keras.weights.errors import WeightsError

CLASSIFIER = "predictions/"
FIRST_CONVOLUTIONS = ("stem_conv/kernel", "stem1_conv/kernel")


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Tensors made to fit a model, and what was done; `assign` takes the four.

    Attributes:
        tensors: A dict from names of variables to arrays.
        adapted: What was done to tensors that are not as the source had them, by name.
        random: Names of the variables that have no tensor.
        unused: Names of the source's tensors that were left out.
    """

    tensors: dict[str, np.ndarray]
    adapted: dict[str, str] = dataclasses.field(default_factory=dict)
    random: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def without_classifier(model: keras.Model, tensors: Mapping[str, np.ndarray]) -> Adaptation:
    """Leaves a classifier out on both sides: the model's stays random.

    Args:
        model: The built model to fill.
        tensors: A mapping from names, as `variables_by_name` gives them, to arrays.
    """
    return Adaptation(
        tensors={name: tensor for name, tensor in tensors.items() if not name.startswith(CLASSIFIER)},
        random=tuple(name for name in variables_by_name(model) if name.startswith(CLASSIFIER)),
        unused=tuple(name for name in tensors if name.startswith(CLASSIFIER)),
    )


def adapt(model: keras.Model, tensors: Mapping[str, np.ndarray], fresh_classifier: bool = False) -> Adaptation:
    """Makes tensors of a model fit another model of the same architecture.

    * Another number of classes, a classifier on one side only, or `fresh_classifier`: the model's classifier stays
      random, the source's is left out.
    * Images of 1 channel in the place of 3: the first convolution is summed over its channels. So it responds to a
      grey image as the source's to that image in all three channels; normalise with one mean and one standard
      deviation, those of ImageNet averaged over the channels (0.449, 0.226), since three cannot be applied to one.
    * Images of 3 channels in the place of 1: each gets a third of the first convolution, so that it responds to a grey
      image in all three channels as the source's to the image; normalise all three alike.
    * Images of 4 channels in the place of 3: the fourth starts with zeros, so that the function of the first three
      is the source's exactly.
    * Another image size: position tables of a global scope are resized by `resize_table`. Tables of a local scope
      fit every size.

    Whatever else differs is left as it is, for `assign` to refuse.

    Args:
        model: The built model to fill.
        tensors: A mapping from names, as `variables_by_name` gives them, to arrays.
        fresh_classifier: Whether the classes are others, which their number alone does not show: a classifier of
            clothes is a bad start for as many digits.

    Returns:
        An `Adaptation`.

    Raises:
        WeightsError: The first convolution has channels that are not converted into the model's.

    Example:
        >>> adaptation = adapt(lk.LambdaResNet50(classes=10), tensors)
        >>> adaptation.random
        ('predictions/kernel', 'predictions/bias')
    """
    shapes = {name: tuple(variable.shape) for name, variable in variables_by_name(model).items()}
    adaptation = Adaptation(dict(tensors))
    if fresh_classifier or _classes(shapes) != _classes({name: tensor.shape for name, tensor in tensors.items()}):
        adaptation = without_classifier(model, tensors)
    tensors, adapted = adaptation.tensors, adaptation.adapted

    for name in FIRST_CONVOLUTIONS:
        if name in tensors and name in shapes:
            received, wanted = tensors[name].shape, shapes[name]
            if len(received) == 4 and received[2] != wanted[2]:
                tensors[name] = _with_channels(tensors[name], wanted[2], name)
                adapted[name] = f"from {received[2]} channels of the images to {wanted[2]}"

    for name in _global_tables(model):
        if name in tensors:
            received, wanted = tensors[name].shape, shapes[name]
            if len(received) == len(wanted) and received[:-2] != wanted[:-2]:
                tensors[name] = resize_table(tensors[name], wanted[:-2])
                adapted[name] = f"resized from {_product(received[:-2])} offsets to {_product(wanted[:-2])}"
    return adaptation


def keep_what_fits(model: keras.Model, adaptation: Adaptation) -> Adaptation:
    """Leaves out the tensors that fit no variable of a model; what they do not fill stays random.

    Args:
        model: The built model to fill.
        adaptation: What `adapt` returned.

    Returns:
        An `Adaptation` that `assign` takes without complaint.

    Raises:
        WeightsError: Not one tensor fits.
    """
    shapes = {name: tuple(variable.shape) for name, variable in variables_by_name(model).items()}
    fitting = {name: tensor for name, tensor in adaptation.tensors.items() if tensor.shape == shapes.get(name)}
    if not fitting:
        raise WeightsError(
            f"Not one of {len(adaptation.tensors)} tensors fits a variable of {model.name} by name and shape: the "
            "weights are of another model."
        )
    return Adaptation(
        tensors=fitting,
        adapted={name: what for name, what in adaptation.adapted.items() if name in fitting},
        random=tuple(name for name in shapes if name not in fitting),
        unused=(*adaptation.unused, *(name for name in adaptation.tensors if name not in fitting)),
    )


def _classes(shapes):
    """The number of classes, as a set, which is empty without a classifier."""
    return {shape[-1] for name, shape in shapes.items() if name.startswith(CLASSIFIER) and shape}


def _with_channels(kernel, channels, name):
    change = kernel.shape[2], channels
    if change not in ((3, 1), (3, 4), (1, 3)):
        raise WeightsError(
            f"{name} is for images of {kernel.shape[2]} channels and cannot be made to take {channels}: weights for 3 "
            "channels can be adapted to 1 (summed) or 4 (the fourth starts with zeros), those for 1 channel to 3 (a "
            "third to each). Convert the images."
        )
    if change == (1, 3):
        return np.repeat(kernel / 3, 3, axis=2)
    if change == (3, 1):
        return kernel.sum(axis=2, keepdims=True)
    return np.pad(kernel, [(0, 0), (0, 0), (0, 1), (0, 0)])


def _global_tables(model):
    """Names of the position tables of a global scope."""
    return [
        layer.position_embedding.table.path
        for layer in model.layers
        # Fused layers have no table to resize.
        if type(layer) is LambdaLayer and layer.use_position and layer.scope_size is None
    ]


def _product(sides):
    return "×".join(map(str, sides))


def resize_table(table: np.ndarray, offsets: Sequence[int]) -> np.ndarray:
    """Resizes a table of relative position embeddings of a global scope for maps of another size.

    On a grid of n positions, o positions are the share o/n of the map: a new offset takes the embedding of the same
    share, by cubic convolution along each axis (https://doi.org/10.1109/TASSP.1981.1163711); offset 0 stays offset 0.
    The position lambda is a sum over the context, so that embeddings are multiplied by the old number of positions
    over the new one.

    Of four methods this keeps most of the accuracy of small models trained at 32 pixels (0.939) when they run at 24 to
    64 without further training, though far from all: 0.834 in the mean of six trainings, linear 0.828, nearest 0.814,
    cropped or padded 0.563; without the factor 0.751, 0.747, 0.730 and 0.526 (`benchmarks/table_resizing.py`).
    Fine-tune afterwards.

    Args:
        table: R, `[*offsets, key_dim, intra_depth]`, with 2n - 1 offsets for an axis of n positions.
        offsets: The new number for each axis, odd.

    Returns:
        R in the table's dtype, `[*offsets, key_dim, intra_depth]`.

    Raises:
        WeightsError: A number of offsets is even, or the axes differ.

    Example:
        >>> resize_table(np.ones((15, 15, 16, 1), "float32"), (27, 27)).shape
        (27, 27, 16, 1)
    """
    received, offsets = table.shape[:-2], tuple(offsets)
    if len(received) != len(offsets) or any(side % 2 == 0 for side in (*received, *offsets)):
        raise WeightsError(
            "A position table has an odd number of offsets for each axis, 2n - 1 for n positions, before key depth and "
            f"intra-depth. Received: a table {list(table.shape)} to resize to {list(offsets)} offsets"
        )
    resized = table.astype("float64")
    for axis, new in enumerate(offsets):
        resized = np.moveaxis(_resize_first_axis(np.moveaxis(resized, axis, 0), new), 0, axis)
    return resized.astype(table.dtype)


def _resize_first_axis(table, new):
    old = len(table)
    # 2n - 1 offsets are those of n positions.
    ratio = (old + 1) / (new + 1)
    # The share of the last offsets of a larger map is beyond the table, by less than one offset.
    places = np.clip((np.arange(new) - new // 2) * ratio, -(old // 2), old // 2) + old // 2
    before = np.floor(places).astype(int)
    t = (places - before).reshape(-1, *[1] * (table.ndim - 1))
    # An offset more on either side, on the line through the last two; the second one after has the weight zero.
    table = np.pad(table, [(1, 2), *[(0, 0)] * (table.ndim - 1)], "reflect", reflect_type="odd")
    weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    return ratio / 2 * sum(weight * table[before + neighbour] for neighbour, weight in enumerate(weights))
