"""Average pools written as depthwise convolutions, which XNNPACK runs in int8; it does not run the pools themselves."""

import math

import numpy as np
import tensorflow as tf


def pools_as_convolutions(definition: tf.compat.v1.GraphDef, graph: tf.Graph) -> tf.compat.v1.GraphDef:
    """A graph whose 2-D average pools are depthwise convolutions with equal weights.

    A pool whose windows reach over the border stays as it is: it divides by fewer numbers there. So does one of a map
    of unknown size or channels.

    Args:
        definition: A graph without functions. It is not changed.
        graph: One with the same names of tensors, whose shapes are known.

    Returns:
        A graph with the same names, and constants beside.
    """
    changed = tf.compat.v1.GraphDef()
    changed.CopyFrom(definition)
    for node in changed.node:
        if node.op == "AvgPool" and _windows_stay_inside(node, graph):
            _make_convolution(node, changed.node.add(), graph)
    return changed


def _map_of(node, graph):
    """Rows, columns and channels of what a pool takes."""
    name, _, number = node.input[0].partition(":")
    return graph.get_tensor_by_name(f"{name}:{number or 0}").shape[1:]


def _windows_stay_inside(node, graph):
    shape = _map_of(node, graph)
    if node.attr["data_format"].s != b"NHWC" or not shape.is_fully_defined():
        return False
    if node.attr["padding"].s == b"VALID":
        return True
    windows, strides = node.attr["ksize"].list.i[1:3], node.attr["strides"].list.i[1:3]
    reaches = [
        (math.ceil(side / stride) - 1) * stride + window
        for side, window, stride in zip(shape[:2], windows, strides, strict=True)
    ]
    return all(reach <= side for reach, side in zip(reaches, shape[:2], strict=True))


def _make_convolution(node, constant, graph):
    """Turns the node of a pool into one of a convolution, and an empty node into the constant of its weights."""
    rows, columns = node.attr["ksize"].list.i[1:3]
    weights = np.full((rows, columns, _map_of(node, graph)[-1], 1), 1 / (rows * columns), np.float32)
    constant.name, constant.op = f"{node.name}/weights", "Const"
    constant.attr["dtype"].type = node.attr["T"].type
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights, node.attr["T"].type))
    node.op = "DepthwiseConv2dNative"
    node.input.insert(1, constant.name)
    del node.attr["ksize"]
    node.attr["dilations"].list.i.extend([1, 1, 1, 1])
