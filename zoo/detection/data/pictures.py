"""A picture of any size as a detector wants it, in prediction and in a server alike."""

from typing import NamedTuple

import tensorflow as tf

from lambda_keras.zoo.data.images.decoding import LARGE_PIXELS, decode_and_resize
from lambda_keras.zoo.data.images.image_header import read_header
from lambda_keras.zoo.data.images.resizing import padded, resize
from lambda_keras.zoo.data.limits import MOST_PIXELS

CHANNELS = 3


class Picture(NamedTuple):
    """A picture, or a batch of them.

    Attributes:
        image: uint8 `[image_size, image_size, 3]`: the longer side of the picture is as long as the image, what is left
            at the bottom or on the right is black.
        size: Height and width of the picture, upright, int32 `[2]`.
    """

    image: tf.Tensor
    size: tf.Tensor


def spec(image_size: int) -> Picture:
    """What `read` returns, as `tf.TensorSpec`s."""
    return Picture(tf.TensorSpec([image_size, image_size, CHANNELS], tf.uint8), tf.TensorSpec([2], tf.int32))


def read(encoded: tf.Tensor, image_size: int, most_pixels: int = MOST_PIXELS, large: int = LARGE_PIXELS) -> Picture:
    """Decodes and resizes a file in a graph. It is turned as its EXIF data say.

    Args:
        encoded: Scalar string, the bytes of a JPEG, PNG, BMP, GIF or WebP file; of an animation, the first frame
            counts.
        image_size: Side of the image in pixels.
        most_pixels: As for `lambda_keras.zoo.data.images.decoding.decode`.
        large: As for `lambda_keras.zoo.data.images.decoding.decode_and_resize`.

    Returns:
        A `Picture`.

    Raises:
        tf.errors.InvalidArgumentError: As for `lambda_keras.zoo.data.images.decoding.decode`.
    """
    image = decode_and_resize(
        encoded, CHANNELS, most_pixels, lambda shape: padded(shape[:2], image_size, "bilinear"), large=large
    )
    header = read_header(encoded)
    stored = tf.cast(tf.stack([header.height, header.width]), tf.int32)
    return Picture(image, tf.where(header.orientation >= 5, stored[::-1], stored))


def fit(pixels: tf.Tensor, image_size: int) -> Picture:
    """Resizes pictures that are decoded.

    Args:
        pixels: uint8 `[batch, height, width, 3]`.
        image_size: Side of the images in pixels.

    Returns:
        A `Picture` of a batch.
    """
    size = tf.shape(pixels)[1:3]
    resizing = padded(size, image_size, "bilinear")
    images = tf.map_fn(lambda one: resize(one, resizing), pixels, fn_output_signature=spec(image_size).image)
    return Picture(images, tf.tile(size[tf.newaxis], [tf.shape(pixels)[0], 1]))


def content_sizes(sizes: tf.Tensor, image_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """What images show of pictures before the padding.

    Args:
        sizes: Heights and widths of the pictures, int32 `[batch, 2]`.
        image_size: Side of the images in pixels.

    Returns:
        Height and width of the content in pixels, float32 `[batch, 2]`, and pixels of the image per pixel of the
        picture, float32 `[batch, 1]`.
    """
    sizes = tf.cast(sizes, tf.float32)
    # A row that is no picture has no size.
    scales = image_size / tf.maximum(tf.reduce_max(sizes, axis=1, keepdims=True), 1)
    return sizes * scales, scales
