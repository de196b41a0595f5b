import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import lambda_keras as lk
from lambda_keras.zoo.data import preprocessing


def evaluation_crop_by_pillow(pixels, image_size, share, interpolation):
    """What timm does with Pillow: resize the shorter side, keep the centre."""
    height, width = pixels.shape[:2]
    shorter = int(np.floor(image_size / share))
    size = [shorter * side // min(height, width) for side in (width, height)]
    resized = Image.fromarray(pixels).resize(size, Image.Resampling[interpolation.upper()])
    left, top = (round((side - image_size) / 2) for side in size)
    return np.asarray(resized)[top : top + image_size, left : left + image_size]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("share", [1, 0.875, 0.7])
@pytest.mark.parametrize("size", [(48, 64), (80, 35), (32, 32), (33, 20)])
def test_the_evaluation_crop_is_that_of_pillow(size, share, interpolation, photo):
    image = photo(0, *size)
    ours = preprocessing.evaluation_crop(image, 32, share, interpolation).numpy()
    expected = evaluation_crop_by_pillow(image, 32, share, interpolation)
    assert ours.shape == (32, 32, 3)
    assert ours.dtype == np.uint8
    # Pillow resizes with weights of 8 bits, one side after the other.
    assert np.abs(ours.astype(int) - expected).max() <= 2


def test_an_image_of_the_right_size_stays_as_it_is(photo):
    image = photo(0, 32, 32)
    np.testing.assert_array_equal(preprocessing.evaluation_crop(image, 32, 1, "bicubic"), image)


def test_a_long_strip_does_not_fill_the_memory():
    strip = tf.fill([1, 60_000, 3], tf.constant(9, tf.uint8))
    assert (preprocessing.evaluation_crop(strip, 512, 1, "bicubic").numpy() == 9).all()


def test_a_bicubic_overshoot_is_clipped():
    half = np.zeros((8, 8, 1), "uint8")
    half[:, 4:] = 255
    resized = preprocessing.resize(half, [32, 32], "bicubic").numpy()
    # A value that wrapped around would stand as a dark column in the bright half.
    assert (np.diff(resized[0, :, 0].astype(int)) >= 0).all()


def test_normalise_against_numpy(photo):
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    expected = (photo(0).astype("float32") / 255 - np.float32(mean)) / np.float32(std)
    np.testing.assert_allclose(lk.preprocess_input(tf.constant(photo(0)), mean=mean, std=std), expected, rtol=1e-5)
