import io

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


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGB"),
        ("PNG", "L"),
        ("PNG", "LA"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("BMP", "RGB"),
        ("BMP", "L"),
        ("GIF", "RGB"),
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
    ],
)
def test_every_kind_of_file_has_the_channels_asked_for(kind, mode, channels, encode, photo):
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" and mode != "L" else {}
    pixels = photo(0)
    decoded = preprocessing.decode(encode(pixels, kind, mode, **options), channels).numpy()
    assert decoded.shape == (*pixels.shape[:2], channels)
    # Modes of few colours keep what Pillow makes of them.
    expected = np.asarray(Image.fromarray(pixels).convert(mode).convert("L" if channels == 1 else "RGB"))
    if kind == "GIF":
        return  # Its palette is chosen when it is written.
    difference = np.abs(decoded.astype(int) - expected.reshape(decoded.shape))
    assert difference.mean() < 2, "the conversion to grey and JPEG's rounding"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white_as_pillow_has_it(mode, channels, encode, photo):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 4), "uint8")
    pixels[:10, :, 3] = 0
    image = Image.fromarray(pixels).convert(mode)
    file = io.BytesIO()
    # Of a palette one colour is transparent.
    image.save(file, "PNG", **({"transparency": image.getpixel((0, 0))} if mode == "P" else {}))
    over_white = Image.open(file).convert("RGBA")
    over_white = Image.alpha_composite(Image.new("RGBA", over_white.size, "white"), over_white)
    expected = np.asarray(over_white.convert("L" if channels == 1 else "RGB")).astype(int)
    decoded = preprocessing.decode(file.getvalue(), channels).numpy()
    # Pillow rounds the weights of grey otherwise.
    np.testing.assert_allclose(decoded, expected.reshape(decoded.shape), atol=1)
    assert (decoded == 255).any()


def test_transparency_can_be_kept(encode, photo):
    assert preprocessing.decode(tf.constant(encode(photo(0), mode="RGBA")), 4).shape == (48, 64, 4)


def test_of_an_animation_the_first_frame_is_taken(encode, photo):
    frames = [Image.fromarray(np.full((8, 8, 3), level, "uint8")) for level in (0, 255)]
    encoded = encode(np.asarray(frames[0]), "GIF", save_all=True, append_images=frames[1:])
    decoded = preprocessing.decode(tf.constant(encoded), 3)
    assert decoded.shape == (8, 8, 3)
    assert (decoded.numpy() == 0).all()


def test_decoded_images_stay_as_they_are(photo):
    image = tf.constant(photo(0))
    assert preprocessing.decode(image, 3) is image


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff\xe0garbage"])
def test_what_is_no_image_is_an_error(content):
    with pytest.raises(tf.errors.InvalidArgumentError):
        preprocessing.decode(tf.constant(content), 3)


def test_normalise_against_numpy(photo):
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    expected = (photo(0).astype("float32") / 255 - np.float32(mean)) / np.float32(std)
    np.testing.assert_allclose(lk.preprocess_input(tf.constant(photo(0)), mean=mean, std=std), expected, rtol=1e-5)
