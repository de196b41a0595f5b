"""The layers of every ResNet of this package, as its configuration describes them."""

import keras

from lambda_keras.applications.building import Blocks
from lambda_keras.applications.interactions import Interactions
from lambda_keras.applications.resnet import STAGES, ResNetConfig
from lambda_keras.layers import SqueezeExcitation

EXPANSION = 4


def trunk(config: ResNetConfig, inputs: keras.KerasTensor) -> tuple[keras.KerasTensor, dict[str, keras.KerasTensor]]:
    """The maps of the network that a configuration describes: the last one, and a dict of the stages'."""
    blocks = Blocks(config)
    interactions = Interactions(config)
    x = _STEMS[config.stem](blocks, inputs, config.stem_width)
    features = {}
    number, total = 0, sum(config.blocks)
    for index, stage in enumerate(STAGES):
        for block in range(1, config.blocks[index] + 1):
            x = _bottleneck(
                blocks,
                interactions,
                x,
                stage=index,
                strides=2 if block == 1 and index > 0 else 1,
                is_lambda=block in config.lambda_blocks[index],
                has_squeeze_excitation=stage in config.squeeze_excitation_stages,
                drop_rate=config.stochastic_depth_rate * number / max(1, total - 1),
                has_projection=block == 1,
                name=f"{stage}_block{block}",
            )
            number += 1
        features[stage] = x
    return x, features


def _vanilla_stem(blocks, x, width):
    return _stem_pool(blocks, blocks.normalize(blocks.convolution(x, width, 7, 2, name="stem_conv"), name="stem"))


def _tiered_stem(blocks, x, width):
    for number, (filters, strides) in enumerate(((3 * width // 8, 2), (width // 2, 1), (width, 1)), 1):
        name = f"stem{number}"
        x = blocks.normalize(blocks.convolution(x, filters, 3, strides, name=f"{name}_conv"), name=name)
    return _stem_pool(blocks, x)


def _stem_pool(blocks, x):
    """3×3 max pool with stride 2, padded by the same on all sides with what cannot be a maximum."""
    if blocks.config.activation == "relu":
        # No activation is below zero.
        x = keras.layers.ZeroPadding2D(1, data_format="channels_last", name="stem_pool_pad")(x)
    else:
        # The edge once more: each window that sees the copy sees the edge itself.
        x = keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    return keras.layers.MaxPooling2D(3, 2, data_format="channels_last", name="stem_pool")(x)


def _resnet_rs_stem(blocks, x, width):
    for number, (filters, strides) in enumerate(((width // 2, 2), (width // 2, 1), (width, 1), (width, 2)), 1):
        name = f"stem{number}"
        x = blocks.normalize(blocks.convolution(x, filters, 3, strides, name=f"{name}_conv"), name=name)
    return x


def _small_stem(blocks, x, width):
    return blocks.normalize(blocks.convolution(x, width, 3, name="stem_conv"), name="stem")


_STEMS = {"vanilla": _vanilla_stem, "resnet_rs": _resnet_rs_stem, "tiered": _tiered_stem, "small": _small_stem}


def _bottleneck(
    blocks, interactions, x, *, stage, strides, is_lambda, has_squeeze_excitation, drop_rate, has_projection, name
):
    """1×1, then 3×3 convolution or a layer such as the lambda layer, then 1×1, round a shortcut."""
    width = blocks.config.stage_widths[stage]
    shortcut = _shortcut(blocks, x, EXPANSION * width, strides, name) if has_projection else x
    x = blocks.normalize(blocks.convolution(x, width, 1, name=f"{name}_conv1"), name=f"{name}_conv1")
    if is_lambda:
        x = interactions.layer(x, stage, strides, name)
        if strides > 1:
            x = keras.layers.AveragePooling2D(
                blocks.config.lambda_pool_size,
                strides,
                padding="same",
                data_format="channels_last",
                name=f"{name}_pool",
            )(x)
        if blocks.config.normalize_lambda:
            x = blocks.normalize(x, name=f"{name}_{interactions.suffix}")
    else:
        x = blocks.convolution(x, width, 3, strides, name=f"{name}_conv2")
        x = blocks.normalize(x, name=f"{name}_conv2")
    x = blocks.convolution(x, EXPANSION * width, 1, name=f"{name}_conv3")
    # A residual branch that starts at zero: the block starts as its shortcut.
    x = blocks.normalize(x, gamma="zeros", activate=False, name=f"{name}_conv3")
    if has_squeeze_excitation:
        x = SqueezeExcitation(ratio=4, name=f"{name}_se")(x)
    if drop_rate:
        # Dropout with one draw for an example is stochastic depth.
        x = keras.layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}_stochastic_depth")(x)
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return blocks.activate(x, name=name)


def _shortcut(blocks, x, filters, strides, name):
    name = f"{name}_shortcut"
    if strides > 1 and blocks.config.pooled_shortcut:
        x = keras.layers.AveragePooling2D(
            strides, strides, padding="same", data_format="channels_last", name=f"{name}_pool"
        )(x)
        strides = 1
    x = blocks.convolution(x, filters, 1, strides, name=f"{name}_conv")
    return blocks.normalize(x, activate=False, name=name)
