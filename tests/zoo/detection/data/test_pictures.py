import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from lambda_keras.zoo.detection.data import pictures

SIDE = 64


@pytest.fixture(scope="module")
def read():
    return tf.function(lambda encoded: pictures.read(encoded, SIDE), autograph=False)


def encoded(pixels, orientation=1):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(file, "PNG", exif=exif)
    return file.getvalue()


def half_white(height, width):
    """White above and black below."""
    pixels = np.zeros((height, width, 3), "uint8")
    pixels[: height // 2] = 255
    return pixels


@pytest.mark.parametrize(("height", "width", "shown"), [(160, 40, (64, 16)), (32, 128, (16, 64)), (8, 8, (64, 64))])
def test_the_longer_side_fits_and_the_rest_is_black(read, height, width, shown):
    picture = read(encoded(np.full((height, width, 3), 200, "uint8")))
    assert picture.size.numpy().tolist() == [height, width]
    is_picture = np.zeros((SIDE, SIDE), bool)
    is_picture[: shown[0], : shown[1]] = True
    np.testing.assert_array_equal(picture.image.numpy() == 200, np.repeat(is_picture[..., np.newaxis], 3, axis=-1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_exif_says(read, orientation):
    picture = read(encoded(half_white(40, 20), orientation))
    file = Image.open(io.BytesIO(encoded(half_white(40, 20), orientation)))
    upright = np.asarray(ImageOps.exif_transpose(file))
    assert picture.size.numpy().tolist() == list(upright.shape[:2])
    plain = read(encoded(upright))
    np.testing.assert_array_equal(picture.image, plain.image)


def test_decoded_pictures_are_resized_alike(read):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 90, 50, 3)).astype("uint8")
    batch = tf.function(lambda x: pictures.fit(x, SIDE), autograph=False)(pixels)
    assert batch.size.numpy().tolist() == [[90, 50]] * 2
    for row in range(2):
        np.testing.assert_array_equal(batch.image[row], read(encoded(pixels[row])).image)


def test_what_an_image_shows_of_pictures():
    contents, scales = pictures.content_sizes(tf.constant([[128, 32], [10, 20], [0, 0]]), SIDE)
    np.testing.assert_allclose(contents, [[64, 16], [32, 64], [0, 0]])
    np.testing.assert_allclose(scales[:2], [[0.5], [3.2]])
    assert np.isfinite(scales).all()
