"""What signatures check of a request, so that a client is answered in words, and not by a convolution in its own.

TensorFlow Serving checks the dtype of what it is sent, and not the shape: a network that averages over its last map
would answer for images of another size too.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

NO_SIDE = -1


def check_shape(value: tf.Tensor, name: str) -> tf.Tensor:
    """Makes a signature fail where its input has another shape than it says.

    Args:
        value: The input, [batch, ...].
        name: Its name.

    Returns:
        The same; what is made of it runs after the check. Otherwise the client gets an `InvalidArgumentError` that
        names what is expected and what came.

    Example:
        >>> same = check_shape(tf.zeros([2, 32, 32, 3]), "images")
    """
    sides = value.shape.as_list()
    received = tf.shape(value)
    # One side more than there may be, so that those of any number can be compared.
    followed = tf.concat([received, tf.fill([len(sides) + 1], NO_SIDE)], axis=0)[: len(sides) + 1]
    wanted = tf.constant([0 if side is None else side for side in sides] + [NO_SIDE], tf.int32)
    is_any = tf.constant([side is None for side in sides] + [False])
    is_right = tf.reduce_all(tf.where(is_any, followed > NO_SIDE, followed == wanted))
    shape = ", ".join(["batch", *("any" if side is None else str(side) for side in sides[1:])])
    words = f"{name}: expected {value.dtype.name} [{shape}], got a tensor of the shape"
    # Not tf.debugging.Assert, which makes a function of each branch of a condition.
    check = tf.raw_ops.Assert(condition=is_right, data=[words, received], summarize=16)
    with tf.control_dependencies([check]):
        # A dataset that is made of a list may run before the check: it gets one whatever came.
        return tf.identity(value) if sides[1:] else tf.reshape(value, [-1])


def finite_images(images: tf.Tensor, name: str) -> tf.Tensor:
    """Finds out which images have no NaN and no infinity, and makes the signature fail where none has.

    Where some have, `spoil` marks the others: a server may have put requests of several clients into the batch, and one
    must not fail the others.

    Args:
        images: float32 [batch, height, width, channels].
        name: Of the input.

    Returns:
        bool [batch].
    """
    # NaN is not below anything.
    finite = tf.reduce_all(tf.abs(images) < np.inf, axis=[1, 2, 3])
    is_right = tf.reduce_any(finite) | tf.equal(tf.size(finite), 0)
    words = f"{name}: expected finite numbers, got NaN or infinity in each image; images in the batch:"
    check = tf.raw_ops.Assert(condition=is_right, data=[words, tf.size(finite)], summarize=16)
    with tf.control_dependencies([check]):
        return tf.identity(finite)


def spoil(outputs: Mapping[str, tf.Tensor], finite: tf.Tensor) -> dict[str, tf.Tensor]:
    """Makes NaN of the rows of images that are not finite. An activation such as ReLU makes numbers of NaN.

    Args:
        outputs: By name, float32 [batch, ...].
        finite: As for `finite_images`.

    Returns:
        The same, with other numbers in these rows alone.
    """

    def spoiled(output):
        rows = tf.reshape(finite, [-1] + [1] * (len(output.shape) - 1))
        return tf.where(rows, output, np.float32("nan"))

    return {name: spoiled(output) for name, output in outputs.items()}
