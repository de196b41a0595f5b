import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.detection import losses

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(2, 6)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, float)))


def cross_entropy(labels, logits):
    return -labels * np.log(sigmoid(logits)) - (1 - labels) * np.log(sigmoid(-np.asarray(logits, float)))


def huber(x, delta):
    x = np.abs(x)
    return np.where(x < delta, x**2 / 2, delta * (x - delta / 2))


def check(term, total, count):
    np.testing.assert_allclose(term.total, total, rtol=1e-5)
    np.testing.assert_array_equal(term.count, count)


def test_scores_of_proposals_are_of_what_was_drawn():
    positive = np.array([[True, False, False, True, False, False]] * 2)
    drawn = np.array([[3, 1, 2], [4, 0, 0]])
    is_drawn = np.array([[True, True, True], [True, False, False]])
    expected = cross_entropy(np.array([1, 0, 0, 0]), LOGITS[[0, 0, 0, 1], [3, 1, 2, 4]]).sum()
    check(losses.proposal_score(LOGITS, positive, drawn, is_drawn), expected, 6)


def test_boxes_of_proposals_are_divided_level_by_level():
    boxes, targets = RANDOM.normal(size=(2, 2, 6, 4)).astype(np.float32)
    positive = np.array([[True, False, False, True, False, False], [False, True, False, True, True, False]])
    numbers = huber(boxes - targets, 1 / 9) * positive[..., None]
    expected = [numbers[:, :2].sum(), numbers[:, 2:5].sum(), 0]
    check(losses.proposal_box(tf.constant(boxes), targets, positive, [2, 3, 1]), expected, [8, 12, 0])


def test_classes_are_of_what_was_drawn():
    logits = RANDOM.normal(size=(1, 3, 4)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log(probabilities[0, 0, 2] * probabilities[0, 1, 0])
    check(losses.box_class(logits, np.array([[2, 0, 1]]), np.array([[True, True, False]])), expected, 3)


def test_boxes_are_those_of_the_class():
    boxes = RANDOM.normal(size=(1, 3, 12)).astype(np.float32)
    targets = RANDOM.normal(size=(1, 3, 4)).astype(np.float32)
    expected = huber(boxes[0, 0, 8:] - targets[0, 0], 1).sum() + huber(boxes[0, 2, 4:8] - targets[0, 2], 1).sum()
    check(losses.box_regression(tf.constant(boxes), targets, np.array([[2, 0, 1]])), expected, 8)


def test_masks_are_of_objects():
    logits = RANDOM.normal(size=(1, 2, 3, 3)).astype(np.float32)
    targets = RANDOM.random((1, 2, 3, 3)).astype(np.float32)
    expected = cross_entropy(targets[0, 1], logits[0, 1]).sum()
    check(losses.mask(tf.constant(logits), targets, np.array([[0, 2]])), expected, 9)


@pytest.mark.parametrize("sizes", [[2, 4]])
def test_shares_of_a_batch_add_up_to_its_gradient(sizes):
    """Two replicas with unequal numbers of objects, whose counts are added up."""
    boxes, targets = (tf.constant(RANDOM.normal(size=(2, 6, 4)), tf.float32) for _ in range(2))
    positive = tf.constant([[True, False, False, True, False, False], [False, True, False, True, True, False]])

    def terms(images):
        return {"box": losses.proposal_box(boxes[images], targets[images], positive[images], sizes)}

    def gradient(parts):
        total = {"box": tf.add_n([terms(images)["box"].count for images in parts])}
        with tf.GradientTape() as tape:
            tape.watch(boxes)
            loss = tf.add_n([losses.mean(terms(images), total) for images in parts])
        return loss, tape.gradient(loss, boxes)

    whole, shared = gradient([slice(0, 2)]), gradient([slice(0, 1), slice(1, 2)])
    for one, other in zip(whole, shared, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


def test_without_anything_to_compare_the_loss_is_nothing():
    term = losses.mask(tf.constant(LOGITS.reshape(1, 3, 2, 2)), tf.zeros([1, 3, 2, 2]), tf.zeros([1, 3], tf.int32))
    assert losses.mean({"mask": term}, {"mask": term.count}) == 0
