import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lambda_keras.zoo.data.images import colours

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def by_pillow(pixels, channels):
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    if image.mode in ("LA", "RGBA") and channels != 4:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        # Grey is of what is seen.
        image = image.convert("RGB")
    converted = np.asarray(image.convert(MODES[channels]))
    return converted.reshape(*pixels.shape[:2], channels)


@pytest.mark.parametrize("block", [40, 2**20])
@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("stored", [1, 2, 3, 4])
def test_colours_are_converted_as_by_pillow(stored, channels, block, monkeypatch):
    monkeypatch.setattr(colours, "_BLOCK", block)
    pixels = np.random.default_rng(0).integers(0, 256, (10, 13, stored), "uint8")
    expected = by_pillow(pixels, channels)
    # Not what was traced before with other blocks.
    with_channels = tf.function(colours.with_channels.python_function, autograph=False)
    np.testing.assert_array_equal(with_channels(pixels, channels), expected)
    np.testing.assert_array_equal(tf.function(colours.convert, autograph=False)(pixels, channels), expected)


def test_rows_that_do_not_fill_a_block(monkeypatch):
    monkeypatch.setattr(colours, "_BLOCK", 30)
    image = tf.reshape(tf.range(7 * 10 * 2), [7, 10, 2])
    doubled = colours.by_blocks(image, lambda rows: 2 * rows[:, ::2], tf.int32)
    np.testing.assert_array_equal(doubled, 2 * image.numpy()[:, ::2])
