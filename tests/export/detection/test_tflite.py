import zipfile

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from lambda_keras.export.detection.tflite import export_tflite
from lambda_keras.zoo.detection.data import pictures
from lambda_keras.zoo.errors import UserError
from tests.export.detection.conftest import SIDE


@pytest.fixture(scope="module")
def run(tflite_file):
    return Interpreter(model_path=str(tflite_file)).get_signature_runner("serving_default")


def test_it_finds_what_the_model_finds(run, find, scenes):
    for scene in scenes:
        picture = pictures.fit(tf.constant(scene[np.newaxis]), SIDE)
        expected = find(picture.image, picture.size)
        found = run(images=picture.image.numpy(), sizes=picture.size.numpy())
        assert set(found) == {"boxes", "classes", "scores", "masks"}
        assert all(np.isfinite(value).all() for value in found.values())
        assert (found["scores"] > 0.05).sum() >= 2
        np.testing.assert_array_equal(found["classes"], expected.classes)
        np.testing.assert_allclose(found["boxes"], expected.boxes, atol=1e-2)
        np.testing.assert_allclose(found["scores"], expected.scores, atol=1e-4)
        np.testing.assert_allclose(found["masks"], expected.masks, atol=1e-4)


def test_every_operation_is_built_in(tflite_file):
    model = schema.Model.GetRootAs(tflite_file.read_bytes(), 0)
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    assert [code.CustomCode() for code in codes if code.CustomCode()] == []


def test_its_labels_are_in_it(tflite_file):
    with zipfile.ZipFile(tflite_file) as archive:
        assert archive.read("labels.txt").decode() == "red\ngrün\n"


def test_another_name_is_refused(detector, tmp_path):
    with pytest.raises(UserError, match=r"must end in \.tflite"):
        export_tflite(detector, tmp_path / "detector.lite")
    assert list(tmp_path.iterdir()) == []
