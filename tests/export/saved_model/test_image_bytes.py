import io

import keras
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf

from lambda_keras.export.saved_model.image_bytes import decode_valid
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data.images import preprocessing
from lambda_keras.zoo.data.images.valid_images import to_places

ORIENTATION = 0x0112
# As a signature runs it.
decode = tf.function(decode_valid)


def prepared(file, preprocessor):
    return tf.function(preprocessing.prepare)(tf.constant(file.read_bytes()), preprocessor.channels, preprocessor)


@pytest.mark.parametrize("channels", [1, 3])
def test_all_kinds_of_files_are_prepared_as_the_record_says(image_files, channels):
    preprocessor = Preprocessor(24, 0.875, mean=(0.5,) * channels, std=(0.5,) * channels)
    images, rows = decode([file.read_bytes() for file in image_files], preprocessor)
    assert images.dtype == tf.uint8
    assert images.shape == (4, 24, 24, channels)
    assert sorted(rows.numpy()) == [0, 1, 2, 3]
    for image, row in zip(images, rows.numpy(), strict=True):
        np.testing.assert_array_equal(image, prepared(image_files[row], preprocessor))


def test_files_are_turned_as_their_exif_says():
    """As Pillow turns them; where nothing is cropped or resized, its pixels."""
    image = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), "uint8"))
    files = []
    for orientation in range(1, 9):
        exif, file = PIL.Image.Exif(), io.BytesIO()
        exif[ORIENTATION] = orientation
        image.save(file, "PNG", exif=exif)
        files.append(file)
    preprocessor = Preprocessor(16, 1, "bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)
    images, rows = decode([file.getvalue() for file in files], preprocessor)
    assert sorted(rows.numpy()) == list(range(8))
    for turned, row in zip(images, rows.numpy(), strict=True):
        np.testing.assert_array_equal(turned, PIL.ImageOps.exif_transpose(PIL.Image.open(files[row])))


def test_damaged_files_are_passed_over(image_files, record):
    good = [file.read_bytes() for file in image_files[:2]]
    images, rows = decode([b"", good[0], b"garbage", good[1], good[1][: len(good[1]) // 2]], record.preprocessor)
    assert sorted(rows.numpy()) == [1, 3]
    for image, row in zip(images, rows.numpy(), strict=True):
        np.testing.assert_array_equal(image, prepared(image_files[row // 2], record.preprocessor))


@pytest.mark.parametrize("encoded", [[b""], [b"x", b""], []])
def test_where_none_is_valid_there_is_a_black_image_of_no_row(record, encoded):
    images, rows = decode(tf.constant(encoded, tf.string, shape=[len(encoded)]), record.preprocessor)
    assert images.shape == (1, 32, 32, 3)
    assert not np.any(images)
    assert rows.shape == (0,)
    scores = to_places(tf.ones([1, 3]), rows, tf.size(encoded, tf.int64))
    np.testing.assert_array_equal(scores, np.zeros((len(encoded), 3)))


def test_what_is_too_large_is_passed_over(image_files, record):
    files = [file.read_bytes() for file in image_files[:2]]
    sizes = [np.prod(keras.utils.load_img(file).size) for file in image_files[:2]]
    _, rows = decode(files, record.preprocessor, int(min(sizes)))
    assert rows.numpy().tolist() == [int(np.argmin(sizes))]
