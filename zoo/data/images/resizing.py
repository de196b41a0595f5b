"""Resizing with antialiasing, as `tf.image.resize` does it, of an image in memory or of one that comes in blocks."""

import typing

import tensorflow as tf

_KERNELS = {"bilinear": "triangle", "bicubic": "keyscubic"}


class Resizing(typing.NamedTuple):
    """What is made of an image.

    Attributes:
        size: Height and width of the result.
        scale: By which its height and width are multiplied, float32 `[2]`.
        translation: How far the result is moved then, down and to the right, float32 `[2]`.
        interpolation: `bilinear` or `bicubic`.
    """

    size: tuple[int, int]
    scale: tf.Tensor
    translation: tf.Tensor
    interpolation: str


def whole(shape: tf.Tensor, size: tuple[int, int], interpolation: str) -> Resizing:
    """Makes an image as large as it is to be.

    Args:
        shape: Its height and width, int32 `[2]`.
        size: Those of the result.
        interpolation: `bilinear` or `bicubic`.
    """
    scale = tf.cast(size, tf.float32) / tf.cast(shape, tf.float32)
    return Resizing(size, scale, tf.zeros([2]), interpolation)


def middle(shape: tf.Tensor, size: int, share: float, interpolation: str) -> Resizing:
    """Resizes an image so that `share` of the shorter side becomes `size`, and keeps the square in the middle.

    Rounds as timm does, so that weights from there see the images they were measured with. Only what is kept is
    computed: a long strip of an image would fill the memory.

    Args:
        shape: Its height and width, int32 `[2]`.
        size: Side of the result.
        share: The recipe's `evaluation_crop`, above 0 and up to 1.
        interpolation: `bilinear` or `bicubic`.
    """
    shorter = int(size / share)
    resized = tf.maximum(shape * shorter // tf.reduce_min(shape), shorter)
    corner = tf.round((resized - size) / 2)
    return Resizing((size, size), tf.cast(resized / shape, tf.float32), -tf.cast(corner, tf.float32), interpolation)


def padded(shape: tf.Tensor, size: int, interpolation: str) -> Resizing:
    """Makes the longer side of an image `size`, keeps the aspect, and pads with black at the bottom and on the right.

    Args:
        shape: Its height and width, int32 `[2]`.
        size: Side of the result.
        interpolation: `bilinear` or `bicubic`.
    """
    scale = size / tf.cast(tf.reduce_max(shape), tf.float32)
    return Resizing((size, size), tf.stack([scale, scale]), tf.zeros([2]), interpolation)


def resize(image: tf.Tensor, resizing: Resizing) -> tf.Tensor:
    """Resizes an image.

    Args:
        image: uint8 `[height, width, channels]` of any size.
        resizing: A `Resizing`.

    Returns:
        uint8 `[*size, channels]`.
    """
    return _to_bytes(_transform(image, resizing, resizing.size, resizing.scale, resizing.translation))


def narrow(rows: tf.Tensor, resizing: Resizing) -> tf.Tensor:
    """Resizes some rows of an image along their width alone.

    Args:
        rows: uint8 `[rows, width, channels]`.
        resizing: A `Resizing`.

    Returns:
        float32 `[rows, size[1], channels]`, of which `shorten` makes what `resize` makes of the whole.
    """
    size = [tf.shape(rows)[0], resizing.size[1]]
    return _transform(rows, resizing, size, [1.0, resizing.scale[1]], [0.0, resizing.translation[1]])


def shorten(narrowed: tf.Tensor, resizing: Resizing) -> tf.Tensor:
    """Resizes an image along its height, after `narrow`.

    Args:
        narrowed: float32 `[height, size[1], channels]`.
        resizing: The same `Resizing`.

    Returns:
        uint8 `[*size, channels]`.
    """
    size, scale, translation = resizing.size, [resizing.scale[0], 1.0], [resizing.translation[0], 0.0]
    return _to_bytes(_transform(narrowed, resizing, size, scale, translation))


def _transform(image, resizing, size, scale, translation):
    # What tf.image.resize with antialiasing does, with a translation.
    return tf.raw_ops.ScaleAndTranslate(
        images=image[tf.newaxis],
        size=size,
        scale=scale,
        translation=translation,
        kernel_type=_KERNELS[resizing.interpolation],
        antialias=True,
    )[0]


def _to_bytes(image):
    # Bicubic overshoots at edges, so saturate_cast has to clip.
    return tf.saturate_cast(tf.round(image), tf.uint8)
