"""Which tensor of timm's lambda networks is which variable of ours: one table for both directions.

timm (https://github.com/huggingface/pytorch-image-models) holds its lambda networks in models/byoanet.py and its lambda
layer in layers/lambda_layer.py. Its state dicts name tensors as `stages.2.1.conv1_1x1.conv.weight`.
"""

import dataclasses
import re

import keras

from lambda_keras.layers import BatchNormalization, LambdaLayer
from lambda_keras.weights.assignment import variables_by_name
from lambda_keras.weights.errors import WeightsError

# Our layers and timm's modules: those of the stem, and those of a block after its name. Ours count stages from c2
# and blocks from 1, timm's both from 0.
STEM_LAYERS = {
    **{f"stem{number}_conv": f"stem.conv{number}.conv" for number in (1, 2, 3)},
    **{f"stem{number}_bn": f"stem.conv{number}.bn" for number in (1, 2, 3)},
}
BLOCK_LAYERS = {
    "shortcut_conv": "shortcut.conv",
    "shortcut_bn": "shortcut.bn",
    "conv1": "conv1_1x1.conv",
    "conv1_bn": "conv1_1x1.bn",
    "conv2": "conv2_kxk.conv",
    "conv2_bn": "conv2_kxk.bn",
    "lambda": "self_attn",
    "lambda_bn": "post_attn",
    "conv3": "conv3_1x1.conv",
    "conv3_bn": "conv3_1x1.bn",
}
BATCH_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}

# Arguments for which timm's lambda layer has no other value.
LAMBDA_ARGUMENTS = {
    "intra_depth": 1,
    "use_content": True,
    "use_position": True,
    "key_normalization": "softmax",
    "query_softmax": False,
    "use_batch_norm": True,
    "batch_norm_epsilon": 1e-5,
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """A tensor of timm and the variable that holds it; or the variables, one after another on their last axis.

    Attributes:
        timm: Name in a state dict.
        ours: Names of variables.
        timm_axes: A letter for each axis of the tensor, `1` for one of length 1.
        our_axes: The same of the variables.
    """

    timm: str
    ours: tuple
    timm_axes: str
    our_axes: str

    @property
    def is_of_classifier(self) -> bool:
        """Whether a model may be without it."""
        return self.timm.startswith("head.")


def pairs_of_model(model: keras.Model) -> list[Pair]:
    """The pairs of a model; those of its classifier too where it has none.

    Args:
        model: A model of `lambda_keras.applications.timm_lambda_resnet`, or one with other blocks.

    Returns:
        A list of `Pair`s.

    Raises:
        WeightsError: The model has a variable that timm's have not, or lacks one.
    """
    classifier = [
        Pair("head.fc.weight", ("predictions/kernel",), "oi", "io"),
        Pair("head.fc.bias", ("predictions/bias",), "o", "o"),
    ]
    pairs = list(classifier)
    for layer in model.layers:
        if layer.weights and layer.name != "predictions":
            pairs += _pairs_of_layer(layer, _module(layer.name, model))
    ours = [name for pair in pairs for name in pair.ours]
    expected = {*variables_by_name(model), *(name for pair in classifier for name in pair.ours)}
    different = {name for name in ours if ours.count(name) > 1} | (expected ^ set(ours))
    if different:
        raise WeightsError(
            f"{model.name} is not built as timm's lambda networks are: {', '.join(sorted(different))} cannot stand for "
            "a tensor each, as without shared position tables and with biases nowhere but in the classifier."
        )
    return pairs


def pairs_of_lambda(layer: LambdaLayer, prefix: str = "") -> list[Pair]:
    """The pairs of a lambda layer.

    Args:
        layer: A built `LambdaLayer`.
        prefix: What stands before the names of timm's layer.

    Returns:
        A list of `Pair`s.

    Raises:
        WeightsError: timm's layer could not give the numbers of `layer`, whatever the weights.
    """
    _check_lambda(layer)
    name = layer.path
    # One convolution makes queries, keys and values.
    projections = tuple(f"{name}/{part}_projection/kernel" for part in ("query", "key", "value"))
    table = (layer.position_embedding.table.path,)
    pairs = [
        Pair(f"{prefix}qkv.weight", projections, "oi11", "io"),
        *_pairs_of_batch_norm(f"{name}/query_batch_norm", f"{prefix}norm_q"),
        *_pairs_of_batch_norm(f"{name}/value_batch_norm", f"{prefix}norm_v"),
    ]
    if layer.scope_size is None:
        return [*pairs, Pair(f"{prefix}pos_emb", table, "hwk", "hwk1")]
    return [
        *pairs,
        Pair(f"{prefix}conv_lambda.weight", table, "k1hw1", "hwk1"),
        Pair(f"{prefix}conv_lambda.bias", (f"{name}/position_bias",), "k", "k"),
    ]


def _module(name, model):
    """Timm's name of the module that our layer of this name is."""
    block = re.fullmatch(r"c([2-5])_block(\d+)_(\w+)", name)
    if name in STEM_LAYERS:
        return STEM_LAYERS[name]
    if block and block[3] in BLOCK_LAYERS:
        return f"stages.{int(block[1]) - 2}.{int(block[2]) - 1}.{BLOCK_LAYERS[block[3]]}"
    raise WeightsError(
        f"timm's lambda networks have no layer like {name!r} of {model.name}. Their weights go to and from "
        "lambda_resnet26t, lambda_resnet26rpt_256 and lambda_resnet50ts."
    )


def _pairs_of_layer(layer, module):
    if isinstance(layer, LambdaLayer):
        return pairs_of_lambda(layer, f"{module}.")
    if isinstance(layer, BatchNormalization):
        return _pairs_of_batch_norm(layer.name, module)
    return [Pair(f"{module}.weight", (f"{layer.name}/kernel",), "oihw", "hwio")]


def _pairs_of_batch_norm(name, module):
    return [Pair(f"{module}.{timm}", (f"{name}/{ours}",), "c", "c") for ours, timm in BATCH_NORM.items()]


def _check_lambda(layer):
    if not layer.built:
        raise WeightsError(f"{layer.name} has no weights yet: build it, or call it once.")
    needed = {**LAMBDA_ARGUMENTS, "use_position_bias": layer.scope_size is not None}
    different = {name: getattr(layer, name) for name, value in needed.items() if getattr(layer, name) != value}
    if different:
        raise WeightsError(
            f"timm's lambda layer cannot be as {layer.name} is, with {different}. It always has "
            f"{ {name: needed[name] for name in different} }."
        )
    if len(layer.position_embedding.table.shape) != 4:
        raise WeightsError(
            f"timm's lambda layer works on maps of height and width. Received: {layer.name} with "
            f"{len(layer.position_embedding.table.shape) - 2} axes of positions"
        )
