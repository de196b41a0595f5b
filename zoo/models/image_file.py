"""One image, as a model wants it."""

from pathlib import Path

import tensorflow as tf

from lambda_keras.zoo.data import preprocessing
from lambda_keras.zoo.data.decoding import decode, why
from lambda_keras.zoo.errors import UserError


def read_image(path, preprocessor):
    """Reads an image file as a model wants it in evaluation.

    Args:
        path: A JPEG, PNG, BMP, GIF or WebP file; of an animation, the first frame counts.
        preprocessor: The model's `lambda_keras.weights.Preprocessor`.

    Returns:
        uint8 `[image_size, image_size, channels]`, an array.

    Raises:
        UserError: It cannot be read or decoded.
    """
    try:
        encoded = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return prepare_image(encoded, preprocessor, path)


def prepare_image(encoded, preprocessor, name):
    """Decodes, crops and resizes an image as a model wants it in evaluation.

    Args:
        encoded: The bytes of a JPEG, PNG, BMP, GIF or WebP file, or an image that is decoded: uint8
            `[height, width, channels]` with the model's channels.
        preprocessor: The model's `lambda_keras.weights.Preprocessor`.
        name: What to call it in the message.

    Returns:
        uint8 `[image_size, image_size, channels]`, an array.

    Raises:
        UserError: It cannot be decoded.
    """
    try:
        image = decode(encoded, preprocessor.channels)
    except tf.errors.InvalidArgumentError as error:
        raise UserError(f"cannot decode {name}: {why(error)}") from error
    image = preprocessing.evaluation_crop(
        image, preprocessor.image_size, preprocessor.evaluation_crop, preprocessor.interpolation
    )
    return image.numpy()
