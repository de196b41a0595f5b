"""A warm start for LambdaResNets from the weights of ResNet-RS that Keras 2 published.

The files are `resnet-rs-<depth>-i<size>.h5`, in the HDF5 format of Keras 2
(https://github.com/keras-team/tf-keras, `tf_keras/src/applications/resnet_rs.py`; the networks:
https://arxiv.org/abs/2103.07579). The names in them depend on what else the process had built that wrote them, so
Keras 2 reads such files by the order of the layers, and so does this module: stem, blocks, classifier.
"""

import collections
import contextlib
import itertools
import os
import re

import keras
import numpy as np

from lambda_keras.weights import catalog, fetch, transfer
from lambda_keras.weights.assignment import assign, variables_by_name
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats import hdf5
from lambda_keras.weights.report import LoadReport

STAGES = ("c2", "c3", "c4", "c5")
CONVOLUTION = ("kernel",)
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
DENSE = ("kernel", "bias")
# The layers of each part in the order of the file: our name, and the tensors.
STEM = tuple(
    (f"stem{number}_{layer}", kinds)
    for number in (1, 2, 3, 4)
    for layer, kinds in (("conv", CONVOLUTION), ("bn", BATCH_NORM))
)
BLOCK = (
    ("conv1", CONVOLUTION),
    ("conv1_bn", BATCH_NORM),
    ("conv2", CONVOLUTION),
    ("conv2_bn", BATCH_NORM),
    ("conv3", CONVOLUTION),
    ("conv3_bn", BATCH_NORM),
    ("se/squeeze", DENSE),
    ("se/excite", DENSE),
)
# What follows in the first block of a stage.
PROJECTION = (("shortcut_conv", CONVOLUTION), ("shortcut_bn", BATCH_NORM))
CLASSIFIER = ("predictions", DENSE)


def warm_start(model: keras.Model, weights: str = "resnet_rs", path: str | os.PathLike | None = None) -> LoadReport:
    """Fills all of a LambdaResNet that a ResNet-RS of the same depth has, too; its lambda layers stay random.

    That is a place to start training from, not a pretrained model: no weights of the paper's models were published.

    Args:
        model: A LambdaResNet 50 to 420, its C4 form, or a ResNet-RS of this package.
        weights: `"resnet_rs"`, the only source there is.
        path: A `.h5` file of Keras 2's ResNet-RS, with or without its classifier. By default the catalog's file for
            the model's depth and the nearest image size is fetched.

    Returns:
        A `LoadReport`. Its `random` has the variables of the lambda layers, and those of a classifier of other
        classes; its `unused` has, by their names in the file, the tensors that fit nowhere: the 3×3 convolutions in
        whose place the model has lambda layers, and squeeze-and-excitation where it has none.

    Raises:
        WeightsError: The model is of another family or depth, or the file is damaged or does not fit. No variable
            has changed then.
        FileNotFoundError: There is no file at `path`.

    Example:
        >>> model = lk.LambdaResNet50()
        >>> report = warm_start(model, path="resnet-rs-50-i160.h5")
        >>> report.random[0]
        'c4_block3_lambda/query_projection/kernel'
    """
    if weights != "resnet_rs":
        raise WeightsError(f"`weights` of a warm start must be 'resnet_rs'. Received: weights={weights!r}")
    if path is None:
        path = fetch.fetch(_nearest_record(model))
    tensors, unused = warm_start_tensors(model, path)
    adaptation = transfer.adapt(model, tensors)
    # Or attention in their place.
    lambda_layers = [name for name in variables_by_name(model) if "_lambda" in name or "_attention" in name]
    return assign(
        model,
        adaptation.tensors,
        str(path),
        adapted=adaptation.adapted,
        random=(*lambda_layers, *adaptation.random),
        unused=(*unused, *adaptation.unused),
    )


def warm_start_tensors(model: keras.Model, path: str | os.PathLike) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Reads what a model has variables for from a ResNet-RS file.

    Args:
        model: As in `warm_start`.
        path: As in `warm_start`.

    Returns:
        A dict from names of the model's variables to arrays, and a tuple of the other tensors' names in the file.

    Raises:
        WeightsError: As in `warm_start`; shapes are not compared here.
        FileNotFoundError: There is no file at `path`.
    """
    blocks = _blocks_of(model)
    variables = variables_by_name(model)
    tensors, unused = {}, []
    with _opened(path) as file:
        layers = _layers_in(file)
        if _blocks_in(layers) != blocks:
            raise WeightsError(
                f"'{path}' is of {_describe(_blocks_in(layers))}; {model.name} is of {_describe(blocks)}. A warm start "
                "needs a file of the model's depth."
            )
        expected = _layers_of(blocks)
        # The dense layers of squeeze-and-excitation are 1×1 convolutions there.
        if layers[-1][1]["kernel"].ndim == 2:
            expected.append(CLASSIFIER)
        for (source, datasets), (name, kinds) in itertools.zip_longest(
            layers, expected, fillvalue=("the end of the file", {})
        ):
            if tuple(datasets) != tuple(kinds):
                raise WeightsError(
                    f"'{path}' has {source} with {list(datasets)} in the place of {name} with {list(kinds)}: the file "
                    "is damaged, or none of Keras 2's ResNet-RS."
                )
            for kind, dataset in datasets.items():
                if f"{name}/{kind}" in variables:
                    tensors[f"{name}/{kind}"] = _read(dataset, name)
                else:
                    unused.append(f"{source}/{kind}")
    return tensors, tuple(unused)


def _nearest_record(model):
    blocks = _blocks_of(model)
    records = [record for record in catalog.records() if record.blocks == blocks]
    if not records:
        depths = dict.fromkeys(_depth(record) for record in catalog.records() if record.blocks)
        raise WeightsError(
            f"No ResNet-RS of {_describe(blocks)} was published, as {model.name} has. Give the `path` of a file, or "
            f"take a model of depth {', '.join(depths)}."
        )
    # A model of unknown size takes the smallest.
    image_size = model.input_shape[1] or 0
    return min(records, key=lambda record: abs(record.image_size - image_size))


def _depth(record):
    """What the name of a ResNet-RS ends in."""
    return record.model.removeprefix("resnet_rs")


def _blocks_of(model):
    """How many blocks the stages of a model have."""
    names = variables_by_name(model)
    if "stem4_conv/kernel" not in names:
        raise WeightsError(
            f"{model.name} has not the stem of ResNet-RS: a warm start is for LambdaResNet 50 to 420, their C4 forms "
            "and ResNet-RS."
        )
    return tuple(
        sum(re.fullmatch(rf"{stage}_block\d+_conv1/kernel", name) is not None for name in names) for stage in STAGES
    )


def _blocks_in(layers):
    """How many blocks the stages of a file have: its 3×3 convolutions after the stem, counted by their width."""
    kernels = [datasets["kernel"].shape for _, datasets in layers[len(STEM) :] if tuple(datasets) == CONVOLUTION]
    return tuple(collections.Counter(shape for shape in kernels if shape[:2] == (3, 3)).values())


def _describe(blocks):
    same = (f"depth {_depth(record)}" for record in catalog.records() if record.blocks == blocks)
    depth = next(same, "no published depth")
    return f"{depth}, {blocks} blocks in its stages"


def _layers_of(blocks):
    """Our name and the tensors of each layer up to the classifier, in the order of the file."""
    layers: list[tuple[str, tuple[str, ...]]] = list(STEM)
    for stage, count in zip(STAGES, blocks, strict=True):
        for block in range(1, count + 1):
            parts = (*BLOCK, *PROJECTION) if block == 1 else BLOCK
            layers += [(f"{stage}_block{block}_{layer}", kinds) for layer, kinds in parts]
    return layers


@contextlib.contextmanager
def _opened(path):
    """The file open; all errors of the HDF5 library, also while it is read, become ours."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (FileNotFoundError, WeightsError):
        raise
    # The library has no type of its own for damaged files, nor promises which it raises.
    except Exception as error:
        raise WeightsError(f"'{path}' is damaged, or no .h5 file of Keras 2: {error}. Get it again.") from error


def _layers_in(file):
    """The layers that have tensors, in order: name, and a dict from kinds (`kernel`) to open data sets."""
    layers = []
    for layer in _strings(file, "layer_names"):
        group = hdf5.member(file, layer)
        # For instance "stem_1_stem_conv_1/kernel:0".
        datasets = {
            weight.rpartition("/")[2].partition(":")[0]: hdf5.member(group, weight)
            for weight in _strings(group, "weight_names")
        }
        if datasets:
            layers.append((layer, datasets))
    return layers


def _strings(group, attribute):
    """A list of names; Keras 2 splits one that is longer than HDF5 allows into `layer_names0`, `layer_names1`, …"""
    if attribute in group.attrs:
        names = group.attrs[attribute]
    elif f"{attribute}0" in group.attrs:
        parts = itertools.takewhile(group.attrs.__contains__, (f"{attribute}{part}" for part in itertools.count()))
        names = itertools.chain.from_iterable(group.attrs[part] for part in parts)
    else:
        raise ValueError(f"no {attribute} in {group.name!r}")
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _read(dataset, name):
    # Before memory for the values is claimed: a damaged header may hold any number.
    if dataset.id.get_storage_size() != dataset.nbytes:
        raise ValueError(f"{dataset.name} has values of {dataset.nbytes} bytes, {dataset.id.get_storage_size()} stored")
    tensor = dataset[()]
    # Squeeze-and-excitation is two 1×1 convolutions there, two dense layers here.
    return tensor[0, 0] if "_se/" in name and tensor.ndim == 4 and tensor.shape[:2] == (1, 1) else tensor
