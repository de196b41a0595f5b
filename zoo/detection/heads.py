"""The heads of Mask R-CNN: proposals of regions from the pyramid; class, box and mask of a region.

Mask R-CNN: https://arxiv.org/abs/1703.06870, as tf-models-official configures its heads. A convolution that is
normalised has no bias here: what a bias adds, normalisation takes away.
"""

from collections.abc import Mapping

import keras

from lambda_keras.zoo.detection.pyramid import normalization

BOX_CROP, MASK_CROP = 7, 14
MASK_SIZE = 2 * MASK_CROP


def build_region_proposals(maps: Mapping[str, keras.KerasTensor], anchors: int, channels: int) -> keras.Model:
    """Builds the region proposal network: for each anchor whether it is an object, and where that is.

    The kernels are the same for all levels, but each level has its BatchNorm, as in official: statistics of maps are
    not alike, and one layer that is called for one level after the other would keep moving ones that fit none.

    Args:
        maps: The pyramid's maps.
        anchors: Anchors at one place of a map.
        channels: Channels of the convolution.

    Returns:
        A functional `keras.Model` from a dict of maps to a dict of two: `"scores"`, logits `[batch, rows, columns,
        anchors]` for each level, and `"boxes"`, `[batch, rows, columns, anchors * 4]`; float32.
    """
    inputs = {level: keras.Input(x.shape[1:], name=level) for level, x in maps.items()}
    shared = convolution(channels, 3, keras.initializers.RandomNormal(stddev=0.01), "region_conv")
    scores = prediction(anchors, 1, keras.initializers.RandomNormal(stddev=1e-5), "region_scores")
    boxes = prediction(anchors * 4, 1, keras.initializers.RandomNormal(stddev=1e-5), "region_boxes")
    outputs: dict[str, dict[str, keras.KerasTensor]] = {"scores": {}, "boxes": {}}
    for level, x in inputs.items():
        x = _normalize(shared(x), f"region_{level}")
        outputs["scores"][level] = scores(x)
        outputs["boxes"][level] = boxes(x)
    return keras.Model(inputs, outputs, name="region_proposals")


def build_box_head(classes: int, channels: int, dense_channels: int) -> keras.Model:
    """Builds the box head: four convolutions and a dense layer.

    Args:
        classes: Number of classes without the background.
        channels: Channels of the crops and of the convolutions.
        dense_channels: Channels of the dense layer.

    Returns:
        A functional `keras.Model` from crops `[regions, 7, 7, channels]` to a dict of two: `"logits"`
        `[regions, 1 + classes]`, the first that of the background, and `"boxes"` `[regions, (1 + classes) * 4]`, a box
        for each class; float32.
    """
    x = inputs = keras.Input((BOX_CROP, BOX_CROP, channels), name="box_crops")
    x = _tower(x, channels, "box")
    x = keras.layers.Flatten(data_format="channels_last", name="box_flatten")(x)
    initializer = keras.initializers.VarianceScaling(1 / 3, "fan_out", "uniform")
    x = keras.layers.Dense(dense_channels, use_bias=False, kernel_initializer=initializer, name="box_dense")(x)
    x = _normalize(x, "box_dense")
    logits = _dense(1 + classes, 0.01, "box_logits")(x)
    boxes = _dense((1 + classes) * 4, 0.001, "box_boxes")(x)
    return keras.Model(inputs, {"logits": logits, "boxes": boxes}, name="box_head")


def build_mask_head(classes: int, channels: int) -> keras.Model:
    """Builds the mask head: four convolutions, and one that doubles the resolution.

    Args:
        classes: Number of classes without the background.
        channels: Channels of the crops and of the convolutions.

    Returns:
        A functional `keras.Model` from crops `[regions, 14, 14, channels]` to logits
        `[regions, 28, 28, 1 + classes]`, float32: a mask for each class; that of the background, the first, is unused.
    """
    x = inputs = keras.Input((MASK_CROP, MASK_CROP, channels), name="mask_crops")
    x = _tower(x, channels, "mask")
    x = keras.layers.Conv2DTranspose(
        channels,
        2,
        2,
        data_format="channels_last",
        use_bias=False,
        kernel_initializer=_fan_out(),
        name="mask_upsample",
    )(x)
    x = _normalize(x, "mask_upsample")
    return keras.Model(inputs, prediction(1 + classes, 1, _fan_out(), "mask_logits")(x), name="mask_head")


def _tower(x, channels, name):
    for number in range(1, 5):
        x = convolution(channels, 3, _fan_out(), f"{name}_conv{number}")(x)
        x = _normalize(x, f"{name}_conv{number}")
    return x


def _normalize(x, name):
    return keras.layers.ReLU(name=f"{name}_relu")(normalization(f"{name}_bn")(x))


def convolution(
    channels: int, kernel_size: int, initializer: keras.initializers.Initializer, name: str
) -> keras.layers.Conv2D:
    """A convolution that is normalised after it, so it has no bias.

    Args:
        channels: Those that leave it.
        kernel_size: Side of its kernel.
        initializer: Of the kernel; for no two layers the same, which would get the same numbers.
        name: Of the layer.
    """
    return keras.layers.Conv2D(
        channels,
        kernel_size,
        padding="same",
        data_format="channels_last",
        use_bias=False,
        kernel_initializer=initializer,
        name=name,
    )


def prediction(
    channels: int,
    kernel_size: int,
    initializer: keras.initializers.Initializer,
    name: str,
    bias: str | keras.initializers.Initializer = "zeros",
) -> keras.layers.Conv2D:
    """The convolution at the end of a head. It is float32: losses, and the order of scores, are not for half precision.

    Args:
        channels: As for `convolution`.
        kernel_size: As for `convolution`.
        initializer: As for `convolution`.
        name: Of the layer.
        bias: The initialiser of its bias.
    """
    return keras.layers.Conv2D(
        channels,
        kernel_size,
        padding="same",
        data_format="channels_last",
        kernel_initializer=initializer,
        bias_initializer=bias,
        dtype="float32",
        name=name,
    )


def _dense(channels, stddev, name):
    initializer = keras.initializers.RandomNormal(stddev=stddev)
    return keras.layers.Dense(channels, kernel_initializer=initializer, dtype="float32", name=name)


def _fan_out():
    # A new one each time: one that is used twice makes the same kernel twice.
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
