"""The layers of MobileNetV2, as its configuration describes them."""

import keras

from lambda_keras.applications.building import Blocks
from lambda_keras.applications.mobilenet_v2 import MobileNetV2Config
from lambda_keras.layers import LambdaLayer

# Expansion, channels, blocks and stride of the first block.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# The bottlenecks whose outputs are the last of their resolution.
FEATURES = {3: "c2", 6: "c3", 13: "c4", 17: "c5"}


def trunk(
    config: MobileNetV2Config, inputs: keras.KerasTensor
) -> tuple[keras.KerasTensor, dict[str, keras.KerasTensor]]:
    """The maps of the network that a configuration describes: the last one, and a dict of the stages'."""
    blocks = Blocks(config)
    x = blocks.normalize(blocks.convolution(inputs, 32, 3, 2, name="stem_conv"), name="stem")
    features = {}
    number = 0
    for expansion, filters, count, first_strides in STAGES:
        for block in range(count):
            number += 1
            strides = first_strides if block == 0 else 1
            if number in config.lambda_blocks:
                x = _light_lambda_block(blocks, x, filters, strides, f"block{number}")
            else:
                x = _inverted_bottleneck(blocks, x, expansion, filters, strides, f"block{number}")
            if number in FEATURES:
                features[FEATURES[number]] = x
    x = blocks.normalize(blocks.convolution(x, 1280, 1, name="head_conv"), name="head")
    return x, features


def _inverted_bottleneck(blocks, x, expansion, filters, strides, name):
    shortcut = x
    if expansion > 1:
        x = blocks.convolution(x, expansion * x.shape[-1], 1, name=f"{name}_expand_conv")
        x = blocks.normalize(x, name=f"{name}_expand")
    x = blocks.depthwise_convolution(x, 3, strides, name=f"{name}_depthwise_conv")
    x = blocks.normalize(x, name=f"{name}_depthwise")
    x = blocks.convolution(x, filters, 1, name=f"{name}_project_conv")
    x = blocks.normalize(x, activate=False, name=f"{name}_project")
    if strides == 1 and shortcut.shape[-1] == filters:
        x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def _light_lambda_block(blocks, x, filters, strides, name):
    """1×1 that keeps the channels, lambda layer, 1×1; linear at the end, as the block that it replaces."""
    if strides > 1 or x.shape[-1] != filters:
        raise ValueError(
            f"`lambda_blocks` must name bottlenecks that keep resolution and channels: {name} has stride {strides} "
            f"and goes from {x.shape[-1]} to {filters} channels."
        )
    config, shortcut = blocks.config, x
    x = blocks.normalize(blocks.convolution(x, filters, 1, name=f"{name}_conv1"), name=f"{name}_conv1")
    x = LambdaLayer(
        num_heads=config.num_heads,
        key_dim=config.key_dim,
        intra_depth=config.intra_depth,
        scope_size=config.scope_size,
        batch_norm_momentum=config.batch_norm_momentum,
        batch_norm_epsilon=config.batch_norm_epsilon,
        name=f"{name}_lambda",
    )(x)
    x = blocks.convolution(x, filters, 1, name=f"{name}_conv2")
    x = blocks.normalize(x, activate=False, name=f"{name}_conv2")
    return keras.layers.Add(name=f"{name}_add")([shortcut, x])
