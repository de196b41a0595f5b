from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import beta

from lambda_keras.zoo.data.augmentation import mixing

IMAGES = np.random.default_rng(0).normal(size=(6, 12, 10, 3)).astype("float32")
LABELS = np.eye(8, dtype="float32")[[0, 1, 2, 3, 4, 5]]


@tf.function
def mix(seed, mixup, cutmix):
    return mixing.mix(tf.constant(IMAGES), tf.constant(LABELS), SimpleNamespace(mixup=mixup, cutmix=cutmix), seed)


def share_of(labels):
    """The weight of the image itself, from the first label; the other end of the batch has the rest."""
    share = labels[0, 0]
    np.testing.assert_allclose(labels, share * LABELS + (1 - share) * LABELS[::-1], atol=1e-6)
    return share


def test_mixup_against_numpy():
    for number in range(10):
        images, labels = (tensor.numpy() for tensor in mix(tf.constant([0, number]), 0.4, 0))
        share = share_of(labels)
        np.testing.assert_allclose(images, share * IMAGES + (1 - share) * IMAGES[::-1], atol=1e-5)


def cutmix_rectangle(images):
    """Top, left, height and width of the pixels that are from the other image."""
    own, other = ((images == source).all(axis=(0, 3)) for source in (IMAGES, IMAGES[::-1]))
    assert (own ^ other).all(), "every pixel is from one of the two images"
    rows, columns = (np.flatnonzero(other.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 0, 0, 0, 0
    assert other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    return rows[0], columns[0], len(rows), len(columns)


def test_cutmix_labels_have_exactly_the_share_of_the_area():
    shapes = set()
    for number in range(30):
        images, labels = (tensor.numpy() for tensor in mix(tf.constant([0, number]), 0, 1.0))
        _, _, height, width = cutmix_rectangle(images)
        assert share_of(labels) == pytest.approx(1 - height * width / (12 * 10), abs=1e-6)
        shapes.add((height, width))
    assert len(shapes) > 10


def test_with_both_half_of_the_batches_take_cutmix():
    taken = 0
    for number in range(100):
        images, _ = mix(tf.constant([1, number]), 1.0, 1.0)
        own = (images.numpy() == IMAGES).all(axis=(0, 3))
        taken += own.any()  # mixup changes every pixel
    assert 35 <= taken <= 65


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 4.0])
def test_shares_are_quantiles_of_the_beta_distribution(alpha):
    probabilities = np.linspace(0, 1, 1000, endpoint=False, dtype="float32")
    shares = mixing._beta_quantile(probabilities, alpha)
    np.testing.assert_allclose(shares, beta.ppf(probabilities, alpha, alpha), atol=2e-3)


def test_without_either_nothing_changes():
    images, labels = mix(tf.constant([0, 0]), 0, 0)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


def test_a_seed_mixes_in_one_way():
    first, again, other = (mix(tf.constant([0, number]), 0.4, 1.0)[0].numpy() for number in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_compiles_with_xla_and_keeps_types(dtype):
    def step(seed):
        return mixing.mix(tf.cast(IMAGES, dtype), tf.constant(LABELS), SimpleNamespace(mixup=0.2, cutmix=1.0), seed)

    images, labels = tf.function(step, jit_compile=True)(tf.constant([0, 1]))
    assert (images.dtype, images.shape, labels.dtype) == (dtype, IMAGES.shape, tf.float32)
    share_of(labels.numpy())
