"""Pictures to send to a server where no data is at hand: smooth patches of random colours, no photographs."""

import numpy as np
import tensorflow as tf


def picture(height: int, width: int, channels: int, number: int = 0) -> np.ndarray:
    """Makes a picture: what a server computes of an image does not depend on what it shows.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        channels: Channels of an image.
        number: Another number, another picture.

    Returns:
        uint8 [height, width, channels].
    """
    colours = np.random.default_rng(number).uniform(0, 255, (4, 4, channels))
    return tf.cast(tf.image.resize(colours, [height, width]), tf.uint8).numpy()


def encoded_picture(height: int, width: int, channels: int, number: int = 0) -> bytes:
    """Makes the file of such a picture: JPEG for even numbers, PNG for odd ones and for 4 channels."""
    pixels = picture(height, width, channels, number)
    encode = tf.io.encode_png if number % 2 or channels == 4 else tf.io.encode_jpeg
    return encode(pixels).numpy()
