import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from lambda_keras.export.tflite.contents import calibrated_tensors, quantization_of
from lambda_keras.export.tflite.quantization import CALIBRATED, KINDS
from lambda_keras.zoo.errors import UserError


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_found(quantized, kind):
    assert quantization_of(quantized[kind]) == kind


@pytest.mark.parametrize("length", [0, 5, 40, 5000])
def test_a_damaged_file_is_named(quantized, length, tmp_path):
    path = tmp_path / "part.tflite"
    path.write_bytes(quantized["int8"].read_bytes()[:length])
    with pytest.raises(UserError, match=r"part.tflite is damaged, or not a TFLite file"):
        quantization_of(path)


@pytest.mark.parametrize("kind", CALIBRATED)
def test_the_calibrated_range_of_the_input_is_that_of_the_images(quantized, digits_calibration, kind):
    (low, high), step = calibrated_tensors(quantized[kind].read_bytes())["input"]
    images = digits_calibration.normalised(digits_calibration.images)
    # The range is shifted by less than a step, so that zero is among its values.
    np.testing.assert_allclose([low, high], [images.min(), images.max()], atol=step)
    assert step == pytest.approx((high - low) / 255)


def test_the_range_is_what_the_runtime_uses(quantized):
    (details,) = Interpreter(model_path=str(quantized["int8"])).get_input_details()
    scale, zero_point = details["quantization"]
    expected = (-128 - zero_point) * scale, (127 - zero_point) * scale
    assert calibrated_tensors(quantized["int8"].read_bytes())["input"] == (pytest.approx(expected), scale)
