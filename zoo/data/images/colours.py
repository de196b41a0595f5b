"""The colours of a decoded image: from those in a file to the channels that a model takes, as Pillow converts them."""

from collections.abc import Callable

import tensorflow as tf

# Colours are converted so many pixels at a time: all at once would take several times the memory of the image.
_BLOCK = 2**20


# Traced once in a process, not in each pipeline.
@tf.function(autograph=False)
def with_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Converts the colours of an image as Pillow does.

    Args:
        image: uint8 `[height, width, 1 to 4]`: grey, grey and alpha, RGB, or RGB and alpha.
        channels: Those of the result; what is transparent is laid over white where they are not 4.

    Returns:
        uint8 `[height, width, channels]`.
    """
    return _where_they_differ(
        image, channels, lambda: by_blocks(image, lambda rows: _convert(rows, channels), tf.uint8)
    )


def by_blocks(image: tf.Tensor, function: Callable[[tf.Tensor], tf.Tensor], dtype: tf.DType) -> tf.Tensor:
    """Applies a function to an image, to some rows at a time.

    Args:
        image: `[height, width, channels]`.
        function: Of rows `[n, width, channels]` to as many `[n, …, …]`.
        dtype: Of what it returns.

    Returns:
        What it returned for all rows, one below the other.
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    rows = tf.maximum(_BLOCK // width, 1)
    blocks = tf.TensorArray(dtype, tf.constant(0), True, infer_shape=False, element_shape=[None, None, None])

    def add(top, blocks):
        return top + rows, blocks.write(top // rows, function(image[top : top + rows]))

    _, blocks = tf.while_loop(lambda top, blocks: top < height, add, (0, blocks))
    return blocks.concat()


def convert(image: tf.Tensor, channels: int) -> tf.Tensor:
    """The same as `with_channels`, of an image so small that several times its memory is there."""
    return _where_they_differ(image, channels, lambda: _convert(image, channels))


def _where_they_differ(image, channels, converted):
    """The image as it is where it has the channels, else what the function returns."""
    result = tf.cond(tf.shape(image)[-1] == channels, lambda: image, converted)
    return tf.ensure_shape(result, [None, None, channels])


def _convert(image, channels):
    stored = tf.shape(image)[-1]
    has_alpha = stored % 2 == 0
    colour = tf.cond(stored <= 2, lambda: tf.repeat(image[..., :1], 3, axis=-1), lambda: image[..., :3])
    alpha = tf.cond(has_alpha, lambda: image[..., -1:], lambda: tf.ones_like(image[..., :1]) * 255)
    if channels == 4:
        return tf.concat([colour, alpha], axis=-1)
    # Beneath what is transparent there is any colour, mostly black: drawings would be black on black.
    colour = tf.cond(has_alpha, lambda: _over_white(colour, alpha), lambda: colour)
    return _grey(colour) if channels == 1 else colour


def _over_white(colour, alpha):
    colour, alpha = tf.cast(colour, tf.uint16), tf.cast(alpha, tf.uint16)
    total = colour * alpha + 255 * (255 - alpha) + 128
    # Divided by 255 and rounded, in a quarter of the time: as Pillow does it.
    eight = tf.constant(8, tf.uint16)
    return tf.cast(tf.bitwise.right_shift(total + tf.bitwise.right_shift(total, eight), eight), tf.uint8)


def _grey(colour):
    # Pillow's weights, which sum to 2 to the 16.
    weighted = tf.cast(colour, tf.int32) * tf.constant([19595, 38470, 7471])
    total = tf.reduce_sum(weighted, axis=-1, keepdims=True) + 2**15
    return tf.cast(tf.bitwise.right_shift(total, 16), tf.uint8)
