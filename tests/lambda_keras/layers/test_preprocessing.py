import dataclasses

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.layers import Preprocessing
from lambda_keras.weights import Preprocessor

SIZES = [(40, 40), (64, 48), (31, 90), (20, 33), (97, 61)]


def picture(height, width, channels=3):
    """Colours that change slowly, and an edge."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (5, 7, channels), dtype="uint8")
    image = np.asarray(PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BILINEAR)).copy()
    image[: height // 3, : width // 3] = 255
    return image


def geometry(image, preprocessor):
    """Height and width of a resized image, and the corner of its middle."""
    size, shorter = preprocessor.image_size, int(preprocessor.image_size / preprocessor.evaluation_crop)
    sides = [max(side * shorter // min(image.shape[:2]), shorter) for side in image.shape[:2]]
    return sides, [round((side - size) / 2) for side in sides]


def pillows(image, preprocessor):
    """What Pillow makes of an image."""
    (height, width), (top, left) = geometry(image, preprocessor)
    resized = PIL.Image.fromarray(image).resize(
        (width, height), PIL.Image.Resampling[preprocessor.interpolation.upper()]
    )
    size = preprocessor.image_size
    return np.asarray(resized.crop((left, top, left + size, top + size)), "float64")


def tensorflows(image, preprocessor):
    """What TensorFlow makes of an image."""
    sides, (top, left) = geometry(image, preprocessor)
    resized = tf.image.resize(image, sides, preprocessor.interpolation, antialias=True).numpy()
    size = preprocessor.image_size
    return np.clip(resized, 0, 255).round()[top : top + size, left : left + size]


@pytest.mark.parametrize(("interpolation", "crop"), [("bilinear", 1.0), ("bicubic", 0.9)])
def test_images_of_any_size_are_tensorflows_and_pillows(interpolation, crop):
    preprocessor = Preprocessor(32, evaluation_crop=crop, interpolation=interpolation)
    layer = Preprocessing(preprocessor)
    for size in SIZES:
        image = picture(*size)
        found = keras.ops.convert_to_numpy(layer(image[None]))[0]
        assert found.shape == (32, 32, 3)
        found = (found * preprocessor.std + preprocessor.mean) * 255
        # Half a level may be rounded either way.
        difference = np.abs(found - tensorflows(image, preprocessor))
        assert difference.max() < 1.01, size
        assert difference.mean() < 0.01, size
        # Pillow rounds, and cuts overshoots off, after each axis.
        assert np.abs(found - pillows(image, preprocessor)).mean() < 0.3, size


def test_a_saved_model_takes_raw_images(tmp_path):
    network = lk.create_model("lambda_resnet_tiny")
    preprocessor = dataclasses.replace(lk.preprocessor_of("lambda_resnet_tiny"), evaluation_crop=1.0)
    images = keras.Input((None, None, 3), dtype="uint8")
    model = keras.Model(images, network(Preprocessing(preprocessor)(images)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    # Of the size that the model takes, nothing is resized.
    batch = np.stack([picture(32, 32), picture(32, 32)[::-1]])
    expected = network.predict(lk.preprocess_input(batch), verbose=0)
    for whole in (model, loaded):
        np.testing.assert_allclose(whole.predict(batch, verbose=0), expected, atol=1e-5)
        assert whole.predict(picture(50, 70)[None], verbose=0).shape == (1, 10)


BAD = {
    "channels": (lambda: Preprocessing(Preprocessor(32))(np.zeros((1, 9, 9, 1))), r"\[batch, height, width, 3\]"),
    "rank": (lambda: Preprocessing(Preprocessor(32))(np.zeros((9, 9, 3))), r"\[batch, height, width, 3\]"),
    "nearest": (lambda: Preprocessing(Preprocessor(32, interpolation="nearest")), "bilinear or bicubic"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_what_it_does_not_take(make, message):
    with pytest.raises(ValueError, match=message):
        make()
