"""Balanced samples, drawn as a function of a seed for each image and of nothing else.

The samplers of tf-models-official draw from TensorFlow's global generator: a resumed training would get other
draws, and another number of replicas would draw others.

XLA draws the same as TensorFlow without it, but only integers, and only with seeds that are not negative.
"""

import tensorflow as tf


def seeds_of_images(seed: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """A seed for each image.

    Args:
        seed: int32 `[2]`.
        positions: Integers `[batch]` that tell the images apart, such as their places in the whole batch of a step.

    Returns:
        int32 `[batch, 2]`.
    """
    return tf.stack([_folded(seed, position) for position in tf.unstack(positions)])


def seeds_of_draw(seeds: tf.Tensor, place: int) -> tf.Tensor:
    """The seeds of one of several draws for the same images.

    Args:
        seeds: int32 `[batch, 2]`, from `seeds_of_images`.
        place: A number that distinguishes this draw from the others.

    Returns:
        int32 `[batch, 2]`.
    """
    return tf.stack([_folded(seed, place) for seed in tf.unstack(seeds)])


def sample(
    positive: tf.Tensor, negative: tf.Tensor, count: int, positive_fraction: float, seeds: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws from positive and negative candidates, all of a kind equally probable.

    As many positives are drawn as there are, up to `count * positive_fraction`, and negatives for the rest.

    Args:
        positive: bool `[batch, candidates]`.
        negative: bool of the same shape; a candidate that is neither is never drawn.
        count: Draws for each image, at most as many as there are candidates.
        positive_fraction: Largest share of positives, 0..1.
        seeds: int32 `[batch, 2]`, from `seeds_of_images`.

    Returns:
        int32 `[batch, count]`, the places of what was drawn, positives first, and bool of the same shape: false at the
        end of a row where too few candidates were there.
    """
    candidates = positive.shape[1]
    draws = tf.stack(
        [tf.random.stateless_uniform([candidates], seed, 0, tf.int32.max, tf.int32) for seed in tf.unstack(seeds)]
    )
    most_positives = min(candidates, int(count * positive_fraction))
    values, positives = tf.math.top_k(tf.where(positive, draws, -1), most_positives)
    is_positive = values >= 0
    values, negatives = tf.math.top_k(tf.where(negative, draws, -1), count)
    missing = count - tf.reduce_sum(tf.cast(is_positive, tf.int32), axis=1, keepdims=True)
    is_drawn = tf.concat([is_positive, (values >= 0) & (tf.range(count) < missing)], axis=1)
    # Of equal values, top_k takes the first ones: the order stays.
    is_drawn, order = tf.math.top_k(tf.cast(is_drawn, tf.int32), count)
    return tf.gather(tf.concat([positives, negatives], axis=1), order, batch_dims=1), is_drawn > 0


def _folded(seed, number):
    folded = tf.random.experimental.stateless_fold_in(_without_sign(seed), number)
    return _without_sign(folded)


def _without_sign(seed):
    return tf.bitwise.bitwise_and(seed, tf.int32.max)
