import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from export.tflite import export_tflite
from zoo.errors import UserError


@pytest.fixture(scope="module")
def interpreter(tflite):
    return Interpreter(model_path=str(tflite))


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_round_trip(model, images, interpreter, batch):
    result = interpreter.get_signature_runner("serving_default")(images=images[:batch])["probabilities"]
    np.testing.assert_allclose(result, model(images[:batch], training=False), atol=1e-5)


def test_it_has_the_one_named_signature_with_a_dynamic_batch(model, interpreter):
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["images"], "outputs": ["probabilities"]}}
    (details,) = interpreter.get_input_details()
    assert details["dtype"] == np.float32
    assert details["shape_signature"].tolist() == [-1, *model.input_shape[1:]]


def test_every_operation_is_built_in(tflite):
    """Read from the file itself; a Flex operation is a custom one whose name starts with Flex."""
    content = schema.Model.GetRootAs(tflite.read_bytes(), 0)
    codes = [content.OperatorCodes(i) for i in range(content.OperatorCodesLength())]
    assert schema.BuiltinOperator.CONV_2D in [code.BuiltinCode() for code in codes]
    assert schema.BuiltinOperator.CUSTOM not in [code.BuiltinCode() for code in codes]
    assert [code.CustomCode() for code in codes if code.CustomCode()] == []


def test_the_weights_are_float32_and_written_once(model, tflite):
    assert tflite.stat().st_size < 1.05 * 4 * model.count_params() + 200_000


def test_an_operation_that_is_not_built_in_is_refused(tmp_path, capfd):
    class InverseErrorFunction(keras.layers.Layer):
        def call(self, x):
            return keras.ops.erfinv(x)

    inputs = keras.Input((4, 4, 3))
    x = keras.layers.GlobalAveragePooling2D()(InverseErrorFunction()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    with pytest.raises(UserError, match="no built-in operation for Erfinv"):
        export_tflite(model, tmp_path / "model.tflite")
    assert os.listdir(tmp_path) == []
    assert "Erfinv" not in capfd.readouterr().err, "the converter's own complaint is hidden"


def test_an_older_file_is_replaced(plain_model, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_text("older")
    export_tflite(plain_model, path)
    assert Interpreter(model_path=str(path)).get_signature_list()
    assert os.listdir(tmp_path) == ["model.tflite"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_export_leaves_the_older_file(plain_model, tmp_path, monkeypatch, failure):
    path = tmp_path / "model.tflite"
    path.write_text("older")

    def fail(*args, **kwargs):
        raise failure

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_saved_model", fail)
    with pytest.raises(failure):
        export_tflite(plain_model, path)
    assert os.listdir(tmp_path) == ["model.tflite"]
    assert path.read_text() == "older"


def test_a_model_of_another_precision_is_refused(tmp_path):
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, dtype="mixed_float16")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    with pytest.raises(UserError, match="the model computes in float16"):
        export_tflite(model, tmp_path / "model.tflite")


def test_another_suffix_is_refused(plain_model, tmp_path):
    with pytest.raises(UserError, match=r"must end in \.tflite"):
        export_tflite(plain_model, tmp_path / "model.lite")


def test_a_folder_in_its_place_is_named(plain_model, tmp_path):
    (tmp_path / "model.tflite").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*model.tflite: Is a directory"):
        export_tflite(plain_model, tmp_path / "model.tflite")
