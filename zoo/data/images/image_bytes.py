"""The bytes of an image file, and why there are none: what cannot be an image, such as a video, is not read whole."""

import os
from pathlib import Path

import tensorflow as tf

from lambda_keras.zoo.data.images.decoding import OVER_THE_LIMIT, why
from lambda_keras.zoo.data.images.image_header import BEGINNING, DAMAGED, begins_as_image
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.errors import reason as reason_of

EMPTY = "an empty file"
# Four channels of 16 bits: no pixel takes more, even where nothing is compressed.
BYTES_OF_A_PIXEL = 8
# A file may have more than pixels: EXIF data, a profile of colours, a preview.
BYTES_BESIDE_PIXELS = 64_000_000


class ImageFileError(UserError):
    """A file that is no image, or none that can be used.

    Args:
        message: What to say of the file, with its name.
        reason: Why it cannot be used, in words that fit many files.

    Attributes:
        reason: As given.
    """

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


def read(path: str | Path, most_pixels: int = MOST_PIXELS) -> bytes:
    """Reads an image file; one that does not begin as an image, or is too long for one, is not read to its end.

    Args:
        path: The file, whatever its ending.
        most_pixels: How many pixels it may have, as for `lambda_keras.zoo.data.images.decoding.decode`.

    Returns:
        Its bytes, which may be damaged.

    Raises:
        ImageFileError: It cannot be read, or cannot be such an image.

    Example:
        >>> len(read("photo.jpg"))  # doctest: +SKIP
        2113597
    """
    try:
        with open(path, "rb") as file:
            head = file.read(BEGINNING)
            if not begins_as_image(head):
                raise _refused(path, DAMAGED if head else EMPTY)
            size = os.fstat(file.fileno()).st_size
            limit = BYTES_BESIDE_PIXELS + BYTES_OF_A_PIXEL * most_pixels
            if size > limit:
                raise _refused(path, f"{size:,} bytes, {OVER_THE_LIMIT} of {limit:,} for {most_pixels:,} pixels")
            return head + file.read()
    except OSError as error:
        problem = reason_of(error)
        raise ImageFileError(f"cannot read {path}: {problem}", f"cannot be read: {problem}") from error


def undecodable(name: str | Path, error: tf.errors.InvalidArgumentError) -> ImageFileError:
    """Makes the error of a file that `lambda_keras.zoo.data.images.decoding` refused.

    Args:
        name: What to call the file.
        error: What was raised.

    Returns:
        The error to raise instead.
    """
    return _refused(name, why(error))


def _refused(name, reason):
    remedy = "; --most-pixels raises it" if OVER_THE_LIMIT in reason else ""
    return ImageFileError(f"cannot decode {name}: {reason}{remedy}", reason)
