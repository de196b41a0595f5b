import dataclasses

import keras
import numpy as np
import pytest

from lambda_keras.export.tflite.clipping import Clipping, measure_clipping, refuse_clipping
from lambda_keras.export.tflite.contents import calibrated_tensors
from lambda_keras.zoo.errors import UserError


@pytest.fixture(scope="module")
def content(quantized):
    return quantized["int8"].read_bytes()


def test_images_like_those_of_the_calibration_are_hardly_clipped(content, digits_model, digits_calibration):
    clippings = measure_clipping(content, digits_model, digits_calibration)
    assert [clipping.tensor for clipping in clippings] == ["input", "logits"]
    assert all(clipping.share < 0.05 for clipping in clippings)
    refuse_clipping(clippings)


def test_pixels_outside_are_counted(content, digits_model, digits_calibration):
    """Half of the pixels twice as high above the mean as the calibration has them."""
    images = np.full((2, 16, 16, 1), 128, "uint8")
    images[:, :8] = 255
    std = digits_calibration.std / 2
    (low, high), _ = calibrated_tensors(content)["input"]
    check = dataclasses.replace(digits_calibration, check_images=images, std=std)
    clipping, _ = measure_clipping(content, digits_model, check)
    white = (1 - 0.305) / (0.376 / 2)
    assert clipping.share == 0.5
    assert clipping.calibrated == (low, high)
    assert clipping.largest == pytest.approx(white - high, abs=1e-4)
    assert clipping.seen == pytest.approx(((128 / 255 - 0.305) / (0.376 / 2), white), abs=1e-4)


def test_logits_are_those_before_the_softmax(content, digits_model, digits_calibration):
    """They are the probabilities' logarithms but for a number each image adds."""
    images = digits_calibration.normalised(digits_calibration.check_images)
    _, clipping = measure_clipping(content, digits_model, digits_calibration)
    spread = np.ptp(np.log(digits_model.predict(images, verbose=0)), axis=-1).max()
    assert np.ptp(clipping.seen) >= spread - 1e-2


def test_a_softmax_layer_has_the_same_logits(content, digits_model, digits_calibration):
    top = digits_model.layers[-1]
    dense = keras.layers.Dense(10)
    model = keras.Model(digits_model.input, keras.layers.Softmax()(dense(top.input)))
    dense.set_weights(top.get_weights())
    expected = measure_clipping(content, digits_model, digits_calibration)
    assert measure_clipping(content, model, digits_calibration) == expected


@pytest.mark.parametrize(("share", "refused"), [(0.0, False), (0.05, False), (0.051, True)])
def test_the_threshold(share, refused):
    clippings = [Clipping("input", (-1.0, 1.0), (-1.0, 1.0), 0.0, 0.0), Clipping("logits", (0, 1), (0, 2), share, 1.0)]
    if refused:
        with pytest.raises(UserError, match="covers too little: logits: calibrated from 0 to 1, seen from 0 to 2"):
            refuse_clipping(clippings)
    else:
        refuse_clipping(clippings)
