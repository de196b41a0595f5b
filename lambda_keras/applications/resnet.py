"""ResNetConfig and build_resnet: every ResNet of this package is a configuration, not a branch of code."""

import dataclasses
import functools

import keras

from lambda_keras.applications.building import Blocks, build_model
from lambda_keras.layers import LambdaLayer, SqueezeExcitation

STAGES = ("c2", "c3", "c4", "c5")
EXPANSION = 4


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
    """A residual network whose bottleneck blocks hold a 3×3 convolution or a lambda layer.

    Attributes:
        name: Name in the registry.
        blocks: Blocks of stages c2 to c5.
        lambda_blocks: For each stage the blocks, counted from 1, that hold a lambda layer.
        squeeze_excitation_stages: Stages whose convolutional blocks end in squeeze-and-excitation.
        image_size: Side of the images of the default input, in pixels.
        stem: `"vanilla"` (7×7 and max pool), `"resnet_rs"` (ResNet-D's three 3×3 convolutions, then a strided
            one instead of the pool), `"tiered"` (timm's: three 3×3 convolutions of growing width and max pool) or
            `"small"` (one 3×3 convolution without stride).
        stem_width: Channels that leave the stem.
        stage_widths: Channels of the middle of a bottleneck, for each stage; four times as many leave it.
        pooled_shortcut: Whether a strided shortcut averages before its 1×1 convolution (ResNet-D).
        num_heads: Heads of the lambda layers.
        key_dim: Their key depth.
        intra_depth: Their intra-depth.
        scope_size: Their scope; `None` is global.
        use_position_bias: Whether their position lambdas have a bias.
        lambda_pool_size: Side of the average pool after a strided lambda layer: 3, the paper's, or 2.
        normalize_lambda: Whether normalisation and activation follow a lambda layer and its pool.
        activation: Name of the activation.
        dropout_rate: Dropout before the classifier.
        stochastic_depth_rate: Rate of the last block; it grows linearly from the first.
        batch_norm_momentum: Momentum of all moving statistics.
        batch_norm_epsilon: Added to all variances.
        classes: Number of classes by default.
    """

    name: str
    blocks: tuple
    lambda_blocks: tuple = ((), (), (), ())
    squeeze_excitation_stages: tuple = ()
    image_size: int = 224
    stem: str = "vanilla"
    stem_width: int = 64
    stage_widths: tuple = (64, 128, 256, 512)
    pooled_shortcut: bool = False
    num_heads: int = 4
    key_dim: int = 16
    intra_depth: int = 1
    scope_size: int | tuple | None = 23
    use_position_bias: bool = False
    lambda_pool_size: int = 3
    normalize_lambda: bool = False
    activation: str = "relu"
    dropout_rate: float = 0.0
    stochastic_depth_rate: float = 0.0
    batch_norm_momentum: float = 0.99
    batch_norm_epsilon: float = 1e-5
    classes: int = 1000

    def __post_init__(self):
        """Refuses what cannot be built."""
        if self.stem not in STEMS:
            raise ValueError(f"`stem` must be one of {tuple(STEMS)}. Received: stem={self.stem!r}")
        for stage, count, lambdas in zip(STAGES, self.blocks, self.lambda_blocks, strict=True):
            if any(not 1 <= block <= count for block in lambdas):
                raise ValueError(
                    f"`lambda_blocks` of stage {stage} must be between 1 and its {count} blocks. Received: {lambdas}"
                )
        unknown = set(self.squeeze_excitation_stages) - set(STAGES)
        if unknown:
            raise ValueError(
                f"`squeeze_excitation_stages` must be among {STAGES}. Received: {self.squeeze_excitation_stages}"
            )
        for field in ("dropout_rate", "stochastic_depth_rate"):
            if not 0 <= getattr(self, field) < 1:
                raise ValueError(f"`{field}` must be in [0, 1). Received: {field}={getattr(self, field)}")


def _trunk(config, inputs):
    """The maps of the network that a configuration describes: the last one, and a dict of the stages'."""
    blocks = Blocks(config)
    x = STEMS[config.stem](blocks, inputs, config.stem_width)
    features = {}
    number, total = 0, sum(config.blocks)
    for index, stage in enumerate(STAGES):
        for block in range(1, config.blocks[index] + 1):
            x = _bottleneck(
                blocks,
                x,
                width=config.stage_widths[index],
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


# Builds the network that a `ResNetConfig` describes; the other arguments are those of `LambdaResNet50`.
build_resnet = functools.partial(build_model, _trunk)


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


STEMS = {"vanilla": _vanilla_stem, "resnet_rs": _resnet_rs_stem, "tiered": _tiered_stem, "small": _small_stem}


def _bottleneck(blocks, x, *, width, strides, is_lambda, has_squeeze_excitation, drop_rate, has_projection, name):
    """1×1, then 3×3 convolution or lambda layer, then 1×1, round a shortcut."""
    shortcut = _shortcut(blocks, x, EXPANSION * width, strides, name) if has_projection else x
    x = blocks.normalize(blocks.convolution(x, width, 1, name=f"{name}_conv1"), name=f"{name}_conv1")
    if is_lambda:
        x = _lambda_layer(blocks.config, x, f"{name}_lambda")
        if strides > 1:
            x = keras.layers.AveragePooling2D(
                blocks.config.lambda_pool_size,
                strides,
                padding="same",
                data_format="channels_last",
                name=f"{name}_pool",
            )(x)
        if blocks.config.normalize_lambda:
            x = blocks.normalize(x, name=f"{name}_lambda")
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


def _lambda_layer(config, x, name):
    return LambdaLayer(
        num_heads=config.num_heads,
        key_dim=config.key_dim,
        intra_depth=config.intra_depth,
        scope_size=config.scope_size,
        use_position_bias=config.use_position_bias,
        batch_norm_momentum=config.batch_norm_momentum,
        batch_norm_epsilon=config.batch_norm_epsilon,
        name=name,
    )(x)
