"""Random erasing, https://arxiv.org/abs/1708.04896: a rectangle of an image is replaced by noise."""

import math
from collections.abc import Sequence

import tensorflow as tf

# As in timm, which trains its models so.
AREA = (0.02, 1 / 3)
ASPECT_RATIO = (0.3, 1 / 0.3)
ATTEMPTS = 10


def random_erasing(
    image: tf.Tensor, probability: float, mean: Sequence[float], std: Sequence[float], seed: tf.Tensor
) -> tf.Tensor:
    """Fills a rectangle of 2 to 33 % of an image's area with noise, in a share of all images.

    After ten draws that do not fit into the image it stays as it is.

    Args:
        image: uint8 `[height, width, channels]`, its shape known.
        probability: The share of images.
        mean: Mean of the noise for each channel on the scale 0 to 1; it is normal noise, rounded and clipped.
        std: Standard deviation of the noise for each channel on the same scale.
        seed: Integers `[2]`.

    Returns:
        uint8 of the same shape.
    """
    chance_seed, area_seed, aspect_seed, corner_seed, noise_seed = tf.unstack(tf.random.split(seed, 5))
    height, width, _ = image.shape
    area = tf.random.stateless_uniform([ATTEMPTS], area_seed, AREA[0] * height * width, AREA[1] * height * width)
    aspect = tf.exp(tf.random.stateless_uniform([ATTEMPTS], aspect_seed, *map(math.log, ASPECT_RATIO)))
    sizes = tf.cast(tf.round(tf.sqrt([area * aspect, area / aspect])), tf.int32)
    fits = (sizes[0] < height) & (sizes[1] < width)
    erased_height, erased_width = tf.unstack(sizes[:, tf.argmax(fits)])

    corner = tf.random.stateless_uniform([2], corner_seed)
    top = tf.cast(corner[0] * tf.cast(height - erased_height + 1, tf.float32), tf.int32)
    left = tf.cast(corner[1] * tf.cast(width - erased_width + 1, tf.float32), tf.int32)
    rows, columns = tf.range(height)[:, None, None], tf.range(width)[None, :, None]
    inside = (rows >= top) & (rows < top + erased_height) & (columns >= left) & (columns < left + erased_width)
    inside &= (tf.random.stateless_uniform([], chance_seed) < probability) & tf.reduce_any(fits)
    noise = tf.random.stateless_normal(image.shape, noise_seed) * std + mean
    return tf.where(inside, tf.saturate_cast(tf.round(noise * 255), tf.uint8), image)
