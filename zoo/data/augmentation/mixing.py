"""mixup and CutMix: a batch is mixed with itself in reversed order, on the device.

mixup, https://arxiv.org/abs/1710.09412, adds two images up; CutMix, https://arxiv.org/abs/1905.04899, puts a rectangle
of one into the other. Both are a weight for each pixel, the same for the whole batch.
"""

import numpy as np
import tensorflow as tf
from scipy.stats import beta

from lambda_keras.zoo.recipe import Data

_TABLE_SIZE = 4096


def mix(images: tf.Tensor, targets: tf.Tensor, data: Data, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes a batch, if the recipe asks for it. With mixup and CutMix both, each batch takes one of them at random.

    Args:
        images: Floats `[batch, height, width, channels]`, normalised; height and width are known.
        targets: Floats `[batch, classes]`, the shares of the classes in each image.
        data: The recipe's `lambda_keras.zoo.recipe.Data`.
        seed: Integers `[2]`; the same seed mixes in the same way.

    Returns:
        Images and targets of the same shapes and types. A target is the mean of two targets, weighted by the share
        that each of the two images has in the mixture.
    """
    if not data.mixup and not data.cutmix:
        return images, targets
    choice, share, row, column = tf.unstack(tf.random.stateless_uniform([4], seed))
    _, height, width, _ = images.shape
    weights = []
    if data.mixup:
        weights.append(tf.fill([height, width], _beta_quantile(share, data.mixup)))
    if data.cutmix:
        weights.append(_outside_of_rectangle(height, width, row, column, _beta_quantile(share, data.cutmix)))
    weight = tf.where(choice < 0.5, weights[0], weights[-1])
    return _mixture(images, weight[:, :, tf.newaxis]), _mixture(targets, tf.reduce_mean(weight))


def _mixture(batch, weight):
    weight = tf.cast(weight, batch.dtype)
    return weight * batch + (1 - weight) * tf.reverse(batch, [0])


def _beta_quantile(probability, alpha):
    """Returns a quantile of Beta(alpha, alpha), so that a uniform probability is a draw from that distribution."""
    # By a table, because XLA can draw neither from a beta nor from a gamma distribution.
    table = tf.constant(beta.ppf(np.linspace(0, 1, _TABLE_SIZE + 1), alpha, alpha), tf.float32)
    place = probability * _TABLE_SIZE
    index = tf.cast(place, tf.int32)
    below, above = tf.gather(table, index), tf.gather(table, index + 1)
    return below + (place - tf.floor(place)) * (above - below)


def _outside_of_rectangle(height, width, row, column, share):
    """Returns 0 in a rectangle of the image's shape and 1 elsewhere; what of it leaves the image is cut off.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        row: The rectangle's centre as a share of the height.
        column: The rectangle's centre as a share of the width.
        share: Share of the area to keep, were the rectangle to lie within the image.
    """

    def inside(length, centre):
        size = tf.cast(tf.sqrt(1 - share) * length, tf.int32)
        begin = tf.cast(centre * length, tf.int32) - size // 2
        pixels = tf.range(length)
        return (pixels >= begin) & (pixels < begin + size)

    rectangle = inside(height, row)[:, tf.newaxis] & inside(width, column)[tf.newaxis, :]
    return 1 - tf.cast(rectangle, tf.float32)
