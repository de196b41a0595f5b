import numpy as np
import tensorflow as tf

from lambda_keras.zoo.data.augmentation.random_erasing import random_erasing

SIZE = 64
GREY = tf.fill([SIZE, SIZE, 3], tf.constant(200, tf.uint8))


def erased(probability, count, mean=(0.2, 0.2, 0.2), std=(0.1, 0.1, 0.1)):
    """Images after random erasing, with masks of the pixels that changed."""
    stream = tf.data.Dataset.range(count).map(lambda number: random_erasing(GREY, probability, mean, std, [0, number]))
    images = np.stack(list(stream.as_numpy_iterator()))
    return images, (images != GREY.numpy()).any(axis=-1)


def test_rectangles_of_noise_within_bounds():
    images, masks = erased(1, 200)
    assert images.dtype == np.uint8
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert mask.sum() == height * width
        # A side is rounded to pixels.
        assert 0.02 * 0.85 < height * width / SIZE**2 < 1 / 3 * 1.05
        assert 0.3 * 0.8 < height / width < 1 / 0.3 * 1.25
    noise = images[masks] / 255
    assert np.abs(noise.mean(axis=0) - 0.2).max() < 0.005
    assert np.abs(noise.std(axis=0) - 0.1).max() < 0.005


def test_the_share_of_images_is_the_probability():
    _, masks = erased(0.3, 500)
    assert 0.23 < masks.any(axis=(1, 2)).mean() < 0.37


def test_a_narrow_image_in_which_no_rectangle_fits_stays_as_it_is():
    strip = tf.fill([1, 40, 1], tf.constant(7, tf.uint8))
    for number in range(5):
        np.testing.assert_array_equal(random_erasing(strip, 1, (0.5,), (0.2,), [0, number]), strip)


def test_a_seed_gives_one_image():
    first, again, other = (random_erasing(GREY, 1, (0.2,) * 3, (0.1,) * 3, [0, number]) for number in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).numpy().any()
