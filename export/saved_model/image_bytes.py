"""Decoding a batch of image files inside a TensorFlow graph, where one that is damaged must not fail the others."""

import tensorflow as tf

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data import preprocessing


def decode_valid(encoded: tf.Tensor, preprocessor: Preprocessor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes, resizes and crops the files that are images, as the model wants them.

    `tf.map_fn` would fail the whole batch for one damaged file, so this is a pipeline of tf.data, which can skip it.

    Args:
        encoded: Strings [batch], the bytes of JPEG, PNG, BMP or GIF files; of an animation, the first frame counts.
        preprocessor: The model's.

    Returns:
        The images, uint8 [valid, image_size, image_size, channels], and their rows in the batch, int64 [valid]. Where
        none is valid, there is a black image of no row: a convolution of TensorFlow may fail on a batch of none.
    """

    def prepare(row, file):
        image = preprocessing.decode(file, preprocessor.channels)
        image = preprocessing.evaluation_crop(
            image, preprocessor.image_size, preprocessor.evaluation_crop, preprocessor.interpolation
        )
        return image, row

    images = tf.data.Dataset.from_tensor_slices(encoded).enumerate()
    images = images.map(prepare, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    # A batch of size 0 is not allowed.
    batches = images.batch(tf.maximum(tf.size(encoded, tf.int64), 1))
    black = tf.zeros([1, preprocessor.image_size, preprocessor.image_size, preprocessor.channels], tf.uint8)
    none_valid = tf.data.Dataset.from_tensors((black, tf.zeros([0], tf.int64)))
    return batches.concatenate(none_valid).take(1).get_single_element()


def to_rows(values: tf.Tensor, rows: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
    """Puts values of the valid images into their rows of the batch; the others are zeros or empty strings.

    Args:
        values: What is known of the images of `decode_valid` [valid, …], or of the black one.
        rows: Their rows, int64 [valid].
        batch: How many rows the batch has, int64 scalar.

    Returns:
        The values [batch, …].
    """
    shape = tf.concat([[batch], tf.shape(values, tf.int64)[1:]], axis=0)
    scattered = tf.scatter_nd(rows[:, tf.newaxis], values[: tf.size(rows)], shape)
    return tf.ensure_shape(scattered, [None, *values.shape[1:]])
