"""One image, as a model's record wants it."""

from pathlib import Path

import tensorflow as tf

from lambda_keras.zoo.data import preprocessing
from lambda_keras.zoo.errors import UserError


def read_image(path, record):
    """Reads an image file as the record says that it is evaluated.

    Args:
        path: A JPEG, PNG, BMP or GIF file; of an animation, the first frame counts.
        record: A `lambda_keras.zoo.models.record.Record`.

    Returns:
        uint8 `[image_size, image_size, channels]`, an array.

    Raises:
        UserError: It cannot be read or decoded.
    """
    try:
        encoded = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return prepare_image(encoded, record, path)


def prepare_image(encoded, record, name):
    """Decodes, crops and resizes an image as the record says that it is evaluated.

    Args:
        encoded: The bytes of a JPEG, PNG, BMP or GIF file, or an image that is decoded: uint8
            `[height, width, channels]` with the channels of the record.
        record: A `lambda_keras.zoo.models.record.Record`.
        name: What to call it in the message.

    Returns:
        uint8 `[image_size, image_size, channels]`, an array.

    Raises:
        UserError: It cannot be decoded.
    """
    try:
        image = preprocessing.decode(encoded, record.channels)
    except tf.errors.InvalidArgumentError as error:
        raise UserError(f"cannot decode {name}: it is damaged, or not a JPEG, PNG, BMP or GIF file") from error
    image = preprocessing.evaluation_crop(image, record.image_size, record.evaluation_crop, record.interpolation)
    return image.numpy()
