import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.data.augmentation import cropping

HEIGHT, WIDTH = 120, 160
# A pixel that tells its own place.
MAP = np.stack([*np.mgrid[:HEIGHT, :WIDTH], np.zeros((HEIGHT, WIDTH), int)], axis=-1).astype("uint8")


def corners(crop):
    """Top, left, height and width of a crop of MAP, after a look at whether it is a rectangle of it."""
    top, left, _ = map(int, crop[0, 0])
    height, width, _ = crop.shape
    np.testing.assert_array_equal(crop, MAP[top : top + height, left : left + width])
    return top, left, height, width


@pytest.fixture(scope="module")
def crops():
    stream = tf.data.Dataset.range(500).map(lambda number: cropping.inception_crop(tf.constant(MAP), [0, number]))
    return np.array([corners(crop) for crop in stream.as_numpy_iterator()])


def test_area_and_aspect_ratio_are_within_bounds(crops):
    height, width = crops[:, 2], crops[:, 3]
    area, aspect = height * width / (HEIGHT * WIDTH), width / height
    # A side is rounded to pixels: at 30 pixels that is 2 %.
    assert 0.08 * 0.96 < area.min() < 0.1, "areas between 8 and 10 % occur"
    assert 0.9 < area.max() <= 1
    assert 3 / 4 * 0.97 < aspect.min() < 0.8
    assert 1.25 < aspect.max() < 4 / 3 * 1.03


def test_crops_reach_everywhere(crops):
    assert crops[:, :2].min(axis=0).tolist() == [0, 0]
    # TensorFlow never draws the last place.
    assert (crops[:, 0] + crops[:, 2]).max() >= HEIGHT - 1
    assert (crops[:, 1] + crops[:, 3]).max() >= WIDTH - 1


def test_an_image_in_which_no_crop_fits_stays_whole():
    strip = tf.zeros([3, 200, 3], tf.uint8)
    assert {tuple(cropping.inception_crop(strip, [0, number]).shape) for number in range(10)} == {(3, 200, 3)}


def test_a_seed_gives_one_crop():
    first, again, other = (cropping.inception_crop(MAP, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape


def test_pad_and_crop_gives_windows_of_the_padded_image():
    image = np.random.default_rng(0).integers(1, 256, (8, 8, 1), "uint8")
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    windows = {padded[y : y + 8, x : x + 8].tobytes(): (y, x) for y in range(5) for x in range(5)}
    stream = tf.data.Dataset.range(150).map(lambda number: cropping.pad_and_crop(tf.constant(image), 2, [0, number]))
    places = [windows[crop.tobytes()] for crop in stream.as_numpy_iterator()]
    assert len(set(places)) > 20, "of the 25 offsets, 150 crops hit most"
