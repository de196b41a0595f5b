"""A counter of multiply-adds."""

import math

import keras

from lambda_keras import keras_internals

# Layers that only move, compare or normalise numbers are not counted, as in the literature.
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


def count_multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one example through a functional model.

    Counts convolutions, dense layers, and layers with a method `multiply_adds(input_shape)`, such as
    `LambdaLayer`; a lambda layer counts in the paper's order, whatever order it runs.

    Args:
        model: A functional `keras.Model` whose input has a known size, batch aside.

    Returns:
        An int.

    Raises:
        ValueError: The size of the input is unknown.

    Example:
        >>> lk.count_multiply_adds(lk.LambdaResNet50(input_shape=(160, 160, 3)))
    """
    if any(None in tensor.shape[1:] for tensor in model.inputs):
        raise ValueError(
            "Multiply-adds depend on the size of the images: build the model with a known `input_shape`. Received: "
            f"{[tuple(tensor.shape) for tensor in model.inputs]}"
        )
    total = 0
    # By node, not by layer: a layer may be called several times, and in other models too.
    for node in keras_internals.nodes(model):
        if not node.is_input:
            shapes = [tuple(tensor.shape) for tensor in node.input_tensors]
            total += _count(node.operation, shapes, tuple(node.output_tensors[0].shape))
    return total


def _count(layer, input_shapes, output_shape):
    if isinstance(layer, keras.Model):
        return count_multiply_adds(layer)
    if hasattr(layer, "multiply_adds"):
        return layer.multiply_adds(*input_shapes)
    if isinstance(layer, _DEPTHWISE):
        return math.prod(output_shape[1:]) * math.prod(layer.kernel_size)
    if isinstance(layer, _CONVOLUTIONS):
        return math.prod(output_shape[1:-1]) * math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        return math.prod(output_shape[1:-1]) * math.prod(layer.kernel.shape)
    return 0
