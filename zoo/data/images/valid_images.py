"""Image files read inside a TensorFlow graph, where one that is damaged must not fail the others."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

FILES_AT_ONCE = 16


def read_stream(
    stream: tf.data.Dataset, read: Callable[..., tf.Tensor], shape: tuple[int, int, int]
) -> tf.data.Dataset:
    """Maps `((image, *others), label)` to `((what was read, *others), label, valid)`.

    Files are read a few at a time, so that what reads them is set up once for these few, which takes longer than a
    small image. Errors of the disk are not caught: they end the training.

    Args:
        stream: A `tf.data.Dataset` as above. Of files all tensors have shapes that are known; a label may be a
            structure of them.
        read: Function of the image and the others, to uint8 of `shape`. If it cannot read a file, this becomes a
            black image that is not valid.
        shape: Height, width and channels of what is read.
    """
    (image, *_), _ = stream.element_spec
    if image.dtype != tf.string:
        return stream.map(lambda inputs, label: ((read(*inputs), *inputs[1:]), label, True), tf.data.AUTOTUNE)

    def read_files(inputs, label):
        images, places = read_valid(inputs, read, shape)
        count = tf.size(inputs[0], tf.int64)
        valid = to_places(tf.ones_like(places, tf.bool), places, count)
        return (to_places(images, places, count), *inputs[1:]), label, valid

    files = stream.batch(FILES_AT_ONCE).map(read_files, tf.data.AUTOTUNE, deterministic=True)
    return files.unbatch()


def read_valid(
    inputs: tuple[tf.Tensor, ...],
    read: Callable[..., tf.Tensor],
    shape: tuple[int, int, int],
    parallel: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads those of some files that can be read.

    Args:
        inputs: Tensors `[files, ...]`, the first the bytes of the files.
        read: Function of one of each to an image, uint8 of `shape`.
        shape: Height, width and channels of the images.
        parallel: How many files to read at the same time; by default one after the other.

    Returns:
        The images, uint8 `[valid, height, width, channels]`, and their places among the inputs, int64 `[valid]`. Where
        none is valid, there is a black image of no place: a convolution of TensorFlow may fail on a batch of none.
    """
    return results_of_valid(inputs, read, tf.TensorSpec(shape, tf.uint8), parallel)


def results_of_valid(
    inputs: tuple[tf.Tensor, ...], read: Callable[..., Any], spec: Any, parallel: int | None = None
) -> tuple[Any, tf.Tensor]:
    """The same where more than an image is read.

    An exception cannot be caught in a graph, and `tf.map_fn` would fail for one damaged file. But a dataset can leave
    out elements with errors.

    Args:
        inputs: Tensors `[files, ...]`, the first the bytes of the files.
        read: Function of one of each to a structure of tensors.
        spec: The same structure of `tf.TensorSpec`.
        parallel: As for `read_valid`.

    Returns:
        The structure of tensors `[valid, ...]`, and places as from `read_valid`. Where none is valid, there is one of
        zeros of no place.
    """

    def with_place(place, inputs):
        result = read(*inputs)
        return tf.nest.map_structure(lambda x, of: tf.ensure_shape(x, of.shape), result, spec), place

    results = tf.data.Dataset.from_tensor_slices(inputs).enumerate()
    results = results.map(with_place, num_parallel_calls=parallel).ignore_errors()
    # A batch of size 0 is not allowed.
    batches = results.batch(tf.maximum(tf.size(inputs[0], tf.int64), 1))
    zeros = tf.nest.map_structure(lambda of: tf.zeros([1, *of.shape], of.dtype), spec)
    none_valid = tf.data.Dataset.from_tensors((zeros, tf.zeros([0], tf.int64)))
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
