"""The feature pyramid: maps of all resolutions that all know what the coarsest one does.

Feature Pyramid Networks: https://arxiv.org/abs/1612.03144, as tf-models-official configures them for Mask R-CNN.
"""

from collections.abc import Mapping

import keras

from lambda_keras.layers import BatchNormalization

# Of all normalisation that is not the backbone's.
MOMENTUM, EPSILON = 0.997, 1e-4
# Maps above this level are made from the one below.
HIGHEST_OF_BACKBONE = 5


def build_pyramid(maps: Mapping[str, keras.KerasTensor], levels: tuple[int, ...], channels: int) -> keras.Model:
    """Builds the pyramid on the maps of a backbone.

    Args:
        maps: A dict of them, from the pyramid's lowest level to `"c5"`.
        levels: Levels of the pyramid, without gaps, 5 among them.
        channels: Channels of each of its maps.

    Returns:
        A functional `keras.Model` from a dict of such maps to a dict with keys `"p2"` and so on.
    """
    top = HIGHEST_OF_BACKBONE
    inputs = {name: keras.Input(x.shape[1:], name=name) for name, x in maps.items()}
    merged = {}
    for level in range(top, levels[0] - 1, -1):
        merged[level] = _convolution(channels, 1, name=f"pyramid_lateral{level}")(inputs[f"c{level}"])
        if level < top:
            above = keras.layers.UpSampling2D(2, data_format="channels_last", name=f"pyramid_upsample{level + 1}")
            add = keras.layers.Add(name=f"pyramid_add{level}")
            merged[level] = add([merged[level], above(merged[level + 1])])
    outputs = {level: _convolution(channels, 3, name=f"pyramid_conv{level}")(merged[level]) for level in merged}
    for level in range(top + 1, levels[-1] + 1):
        x = outputs[level - 1]
        if level > top + 1:
            x = keras.layers.ReLU(name=f"pyramid_relu{level - 1}")(x)
        outputs[level] = _convolution(channels, 3, 2, name=f"pyramid_conv{level}")(x)
    # Official normalises what leaves the pyramid, after all of it is computed, and nothing on the way.
    normalized = {f"p{level}": normalization(f"pyramid_norm{level}")(outputs[level]) for level in levels}
    return keras.Model(inputs, normalized, name="pyramid")


def normalization(name: str) -> BatchNormalization:
    """A BatchNorm layer with the momentum and epsilon of all that is not the backbone.

    Args:
        name: Its name, of which there is one in a detector.
    """
    return BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)


def _convolution(channels, kernel_size, strides=1, *, name):
    return keras.layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding="same",
        data_format="channels_last",
        kernel_initializer=keras.initializers.VarianceScaling(),
        name=name,
    )
