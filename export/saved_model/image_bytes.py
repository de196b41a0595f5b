"""Decoding a batch of image files inside a model server, whatever clients send."""

import tensorflow as tf

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data.images import preprocessing
from lambda_keras.zoo.data.images.valid_images import read_valid
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS

# So many files of a request are decoded at the same time, those with more pixels than these one by one, also those of
# other requests: a request keeps below 1 GB.
PARALLEL = 4
LARGE_PIXELS = 4_000_000


def decode_valid(
    encoded: tf.Tensor, preprocessor: Preprocessor, most_pixels: int = MOST_SERVED_PIXELS
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes, resizes and crops the files that are images, as the model wants them.

    Args:
        encoded: Strings [batch], the bytes of JPEG, PNG, BMP, GIF or WebP files; of an animation, the first frame
            counts.
        preprocessor: The model's.
        most_pixels: How many pixels a file may say that it has; one that says more is not valid, and is not decoded.

    Returns:
        As for `lambda_keras.zoo.data.images.valid_images.read_valid`.
    """
    channels = preprocessor.channels

    def prepare(file):
        return preprocessing.prepare(file, channels, preprocessor, most_pixels, LARGE_PIXELS)

    shape = (preprocessor.image_size, preprocessor.image_size, channels)
    return read_valid((encoded,), prepare, shape, PARALLEL)
