"""Folding: a batch normalisation in inference is a scale and an offset, which the layer before it can absorb."""

import typing

import keras
import numpy as np
from keras import ops

DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


def fold(layer: keras.Layer, batch_norm: typing.Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a layer with the batch normalisation that follows it, computed in float64.

    Args:
        layer: A built convolution, depthwise convolution or dense layer, with or without bias.
        batch_norm: A built `keras.layers.BatchNormalization` of the layer's output channels; `None` for none.

    Returns:
        Two arrays: a kernel of the layer's shape and a bias `[channels]`.
    """
    kernel = _array(layer.kernel)
    # The last axis is that of the output channels; the last two of a depthwise kernel.
    channels = kernel.shape[-2:] if isinstance(layer, DEPTHWISE) else kernel.shape[-1:]
    bias = _array(layer.bias) if layer.use_bias else np.zeros(np.prod(channels))
    if batch_norm is None:
        return kernel, bias
    scale = 1 / np.sqrt(_array(batch_norm.moving_variance) + batch_norm.epsilon)
    if batch_norm.scale:
        scale = scale * _array(batch_norm.gamma)
    bias = (bias - _array(batch_norm.moving_mean)) * scale
    if batch_norm.center:
        bias = bias + _array(batch_norm.beta)
    return kernel * scale.reshape(channels), bias


def _array(variable):
    return ops.convert_to_numpy(variable).astype("float64")
