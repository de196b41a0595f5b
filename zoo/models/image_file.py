"""One image, as a model wants it."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data.images import image_bytes, preprocessing
from lambda_keras.zoo.data.limits import MOST_PIXELS


# As a graph: its many small operations are slow one by one, and memory is freed early. A `tf.function` that threads
# share counts those that wait for its first trace as traces of their own, and TensorFlow warns.
@functools.lru_cache(maxsize=16)
def _prepare(is_file: bool, preprocessor: Preprocessor, most_pixels: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Traces what prepares files, or decoded images, of any size."""
    channels = preprocessor.channels
    spec = tf.TensorSpec((), tf.string) if is_file else tf.TensorSpec((None, None, channels), tf.uint8)

    def prepare(image):
        return preprocessing.prepare(image, channels, preprocessor, most_pixels)

    return tf.function(prepare, autograph=False).get_concrete_function(spec)


def read_image(path: str | Path, preprocessor: Preprocessor, most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """Reads an image file as a model wants it in evaluation.

    Args:
        path: A JPEG, PNG, BMP, GIF or WebP file; of an animation, the first frame counts.
        preprocessor: The model's `lambda_keras.weights.Preprocessor`.
        most_pixels: As for `lambda_keras.zoo.data.images.decoding.decode`.

    Returns:
        uint8 `[image_size, image_size, channels]`, an array.

    Raises:
        lambda_keras.zoo.data.images.image_bytes.ImageFileError: It cannot be read or decoded.
    """
    return prepare_image(image_bytes.read(path, most_pixels), preprocessor, path, most_pixels)


def prepare_image(
    encoded: bytes | np.ndarray, preprocessor: Preprocessor, name: str | Path, most_pixels: int = MOST_PIXELS
) -> np.ndarray:
    """Decodes, crops and resizes an image as a model wants it in evaluation.

    Args:
        encoded: The bytes of a JPEG, PNG, BMP, GIF or WebP file, or an image that is decoded: uint8
            `[height, width, channels]` with the model's channels.
        preprocessor: The model's `lambda_keras.weights.Preprocessor`.
        name: What to call it in the message.
        most_pixels: As for `lambda_keras.zoo.data.images.decoding.decode`.

    Returns:
        uint8 `[image_size, image_size, channels]`, an array.

    Raises:
        lambda_keras.zoo.data.images.image_bytes.ImageFileError: It cannot be decoded.
    """
    try:
        image = tf.convert_to_tensor(encoded)
        return _prepare(image.dtype == tf.string, preprocessor, most_pixels)(image).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise image_bytes.undecodable(name, error) from error
