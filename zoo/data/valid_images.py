"""Image files read inside a TensorFlow graph, where one that is damaged must not fail the others."""

from collections.abc import Callable

import tensorflow as tf


def read_valid(
    inputs: tuple[tf.Tensor, ...],
    read: Callable[..., tf.Tensor],
    shape: tuple[int, int, int],
    parallel: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads those of some files that can be read.

    An exception cannot be caught in a graph, and `tf.map_fn` would fail for one damaged file. But a dataset can leave
    out elements with errors.

    Args:
        inputs: Tensors `[files, ...]`, the first the bytes of the files.
        read: Function of one of each to an image, uint8 of `shape`.
        shape: Height, width and channels of the images.
        parallel: How many files to read at the same time; by default one after the other.

    Returns:
        The images, uint8 `[valid, height, width, channels]`, and their places among the inputs, int64 `[valid]`. Where
        none is valid, there is a black image of no place: a convolution of TensorFlow may fail on a batch of none.
    """

    def with_place(place, inputs):
        return tf.ensure_shape(read(*inputs), shape), place

    images = tf.data.Dataset.from_tensor_slices(inputs).enumerate()
    images = images.map(with_place, num_parallel_calls=parallel).ignore_errors()
    # A batch of size 0 is not allowed.
    batches = images.batch(tf.maximum(tf.size(inputs[0], tf.int64), 1))
    none_valid = tf.data.Dataset.from_tensors((tf.zeros([1, *shape], tf.uint8), tf.zeros([0], tf.int64)))
    return batches.concatenate(none_valid).take(1).get_single_element()


def to_places(values: tf.Tensor, places: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Puts values of the valid images where they belong; the others are zeros or empty strings.

    Args:
        values: What is known of the images of `read_valid` [valid, ...], or of the black one.
        places: Their places, int64 [valid].
        count: How many there are with those that are not valid, int64 scalar.

    Returns:
        The values [count, ...].
    """
    shape = tf.concat([[count], tf.shape(values, tf.int64)[1:]], axis=0)
    scattered = tf.scatter_nd(places[:, tf.newaxis], values[: tf.size(places)], shape)
    return tf.ensure_shape(scattered, [None, *values.shape[1:]])
