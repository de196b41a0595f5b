import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lambda_keras.zoo.data.images import resizing


def evaluation_crop_by_pillow(pixels, image_size, share, interpolation):
    """What timm does with Pillow: resize the shorter side, keep the centre."""
    height, width = pixels.shape[:2]
    shorter = int(np.floor(image_size / share))
    size = [shorter * side // min(height, width) for side in (width, height)]
    resized = Image.fromarray(pixels).resize(size, Image.Resampling[interpolation.upper()])
    left, top = (round((side - image_size) / 2) for side in size)
    return np.asarray(resized)[top : top + image_size, left : left + image_size]


def middle(image, *arguments):
    return resizing.resize(image, resizing.middle(tf.shape(image)[:2], *arguments)).numpy()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("share", [1, 0.875, 0.7])
@pytest.mark.parametrize("size", [(48, 64), (80, 35), (32, 32), (33, 20)])
def test_the_evaluation_crop_is_that_of_pillow(size, share, interpolation, photo):
    image = photo(0, *size)
    ours = middle(image, 32, share, interpolation)
    expected = evaluation_crop_by_pillow(image, 32, share, interpolation)
    assert ours.shape == (32, 32, 3)
    assert ours.dtype == np.uint8
    # Pillow resizes with weights of 8 bits, one side after the other.
    assert np.abs(ours.astype(int) - expected).max() <= 2


def test_an_image_of_the_right_size_stays_as_it_is(photo):
    image = photo(0, 32, 32)
    np.testing.assert_array_equal(middle(image, 32, 1, "bicubic"), image)


@pytest.mark.parametrize("shape", [(64, 48), (20, 64)])
def test_the_aspect_is_kept_and_the_rest_is_black(shape, photo):
    image = tf.image.resize(photo(0), shape, antialias=True)
    image = tf.cast(image, tf.uint8)
    ours = resizing.resize(image, resizing.padded(tf.constant(shape), 32, "bilinear")).numpy()
    height, width = (side // 2 for side in shape)
    expected = tf.image.resize(image, (height, width), antialias=True).numpy()
    np.testing.assert_array_equal(ours[:height, :width], np.round(expected))
    assert not ours[height:].any()
    assert not ours[:, width:].any()


def test_a_long_strip_does_not_fill_the_memory():
    strip = tf.fill([1, 60_000, 3], tf.constant(9, tf.uint8))
    assert (middle(strip, 512, 1, "bicubic") == 9).all()


def test_a_bicubic_overshoot_is_clipped():
    half = np.zeros((8, 8, 1), "uint8")
    half[:, 4:] = 255
    resized = resizing.resize(half, resizing.whole([8, 8], (32, 32), "bicubic")).numpy()
    # A value that wrapped around would stand as a dark column in the bright half.
    assert (np.diff(resized[0, :, 0].astype(int)) >= 0).all()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(48, 20), (200, 90)])
def test_the_whole_is_resized_as_by_keras(size, interpolation, photo):
    image = photo(0, 64, 48)
    ours = resizing.resize(image, resizing.whole([64, 48], size, interpolation))
    theirs = keras.ops.image.resize(image.astype("float32"), size, interpolation, antialias=True)
    np.testing.assert_array_equal(ours, np.clip(np.round(theirs), 0, 255))


def test_narrow_and_then_short_is_resized(photo):
    image = photo(0, 64, 48)
    plan = resizing.middle(np.array([64, 48]), 20, 0.8, "bicubic")
    narrowed = tf.concat([resizing.narrow(rows, plan) for rows in (image[:10], image[10:])], axis=0)
    assert narrowed.shape == (64, 20, 3)
    # A sum halfway between two bytes may round to either.
    np.testing.assert_allclose(resizing.shorten(narrowed, plan), resizing.resize(image, plan), atol=1)
