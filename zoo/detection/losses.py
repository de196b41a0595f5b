"""The losses of detectors, as sums with the counts that divide them.

A loss is a sum divided by a count, both of the whole batch. A trainer on several replicas adds up the counts over the
replicas first; then the gradients of its own sums divided by these, added up over the replicas, are exactly those of
the whole batch. `mean` puts the two together.

What is counted is what tf-models-official divides by: for the score of proposals and for classes a fixed number, the
samples of an image; for boxes and masks the numbers that are compared. It adds 0.01 to counts, and takes the mean over
replicas of those; here a count below 1 is 1. Its task divides the scores of proposals by the samples of the *box head*,
512, where its own class and the original implementation have those of proposals, 256, as here.
"""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

PROPOSAL_DELTA, BOX_DELTA = 1 / 9, 1.0


class Term(NamedTuple):
    """A loss, or several that are divided each by its own count and then added up.

    Attributes:
        total: float32, the sum.
        count: float32 of the same shape, what it is divided by; no gradient goes through it.
    """

    total: tf.Tensor
    count: tf.Tensor


def mean(terms: Mapping[str, Term], counts: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The loss of a batch, or a replica's share of it.

    Args:
        terms: Losses by name.
        counts: The counts of the same, added up over all replicas.

    Returns:
        float32 scalar, the sum of all losses, each with weight 1.
    """
    return tf.add_n([tf.reduce_sum(term.total / tf.maximum(counts[name], 1.0)) for name, term in terms.items()])


def proposal_score(logits: tf.Tensor, positive: tf.Tensor, drawn: tf.Tensor, is_drawn: tf.Tensor) -> Term:
    """Cross-entropy of whether an anchor is an object, over the anchors that were drawn.

    Args:
        logits: float32 `[batch, anchors]`.
        positive: bool `[batch, anchors]`.
        drawn: int32 `[batch, samples]`, from `lambda_keras.zoo.detection.sampling.sample`.
        is_drawn: bool `[batch, samples]`.

    Returns:
        Its count is the number of samples, drawn or not.
    """
    labels = tf.cast(tf.gather(positive, drawn, batch_dims=1), tf.float32)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, tf.gather(logits, drawn, batch_dims=1))
    return Term(_sum_where(is_drawn, losses), _size(drawn))


def proposal_box(boxes: tf.Tensor, targets: tf.Tensor, positive: tf.Tensor, sizes: list[int]) -> Term:
    """Huber loss of the boxes of all anchors that are objects, whether they were drawn or not.

    Args:
        boxes: float32 `[batch, anchors, 4]`.
        targets: Of the same shape.
        positive: bool `[batch, anchors]`.
        sizes: Anchors of each level.

    Returns:
        A loss for each level, `[levels]`, whose count is four numbers for each positive anchor of that level.
    """
    losses = tf.reduce_sum(_where(positive[..., tf.newaxis], huber(boxes - targets, PROPOSAL_DELTA)), axis=(0, 2))
    counts = tf.reduce_sum(4 * tf.cast(positive, tf.float32), axis=0)
    return Term(*(tf.stack([tf.reduce_sum(part) for part in tf.split(x, sizes)]) for x in (losses, counts)))


def box_class(logits: tf.Tensor, classes: tf.Tensor, is_drawn: tf.Tensor) -> Term:
    """Cross-entropy of the classes of regions.

    Args:
        logits: float32 `[batch, regions, 1 + classes]`.
        classes: int32 `[batch, regions]`.
        is_drawn: bool `[batch, regions]`.

    Returns:
        Its count is the number of regions, drawn or not.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    return Term(_sum_where(is_drawn, losses), _size(classes))


def box_regression(boxes: tf.Tensor, targets: tf.Tensor, classes: tf.Tensor) -> Term:
    """Huber loss of the boxes of regions that are objects, each as the box of its class.

    Args:
        boxes: float32 `[batch, regions, (1 + classes) * 4]`.
        targets: float32 `[batch, regions, 4]`.
        classes: int32 `[batch, regions]`, 0 for the background.

    Returns:
        Its count is four numbers for each object.
    """
    _, regions, numbers = boxes.shape
    boxes = tf.gather(tf.reshape(boxes, [-1, regions, numbers // 4, 4]), classes, batch_dims=2)
    is_object = (classes > 0)[..., tf.newaxis]
    total = _sum_where(is_object, huber(boxes - targets, BOX_DELTA))
    return Term(total, 4 * tf.reduce_sum(tf.cast(is_object, tf.float32)))


def mask(logits: tf.Tensor, targets: tf.Tensor, classes: tf.Tensor) -> Term:
    """Cross-entropy of the pixels of the masks of objects.

    Args:
        logits: float32 `[batch, masks, side, side]`, of the class of each.
        targets: Of the same shape, 0..1.
        classes: int32 `[batch, masks]`, 0 for the background.

    Returns:
        Its count is the number of pixels of objects' masks.
    """
    is_object = (classes > 0)[..., tf.newaxis, tf.newaxis]
    total = _sum_where(is_object, tf.nn.sigmoid_cross_entropy_with_logits(targets, logits))
    pixels = logits.shape[-2] * logits.shape[-1]
    return Term(total, pixels * tf.reduce_sum(tf.cast(is_object, tf.float32)))


def huber(differences: tf.Tensor, delta: float) -> tf.Tensor:
    """Half the square of a difference up to delta, and from there on a line."""
    size = tf.abs(differences)
    return tf.where(size <= delta, 0.5 * size**2, delta * size - 0.5 * delta**2)


def _where(condition, values):
    return tf.where(condition, values, 0.0)


def _sum_where(condition, values):
    return tf.reduce_sum(_where(condition, values))


def _size(tensor):
    return tf.cast(tf.size(tensor), tf.float32)
