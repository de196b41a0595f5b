import dataclasses
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import lambda_keras as lk
from lambda_keras.export.tflite.calibration import Calibration
from lambda_keras.export.tflite.quantization import CALIBRATED
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.layers import chunks
from lambda_keras.layers.contraction_plan import Plan
from lambda_keras.zoo.errors import UserError
from tests.little_room import little_room


def one_layer(layer, side):
    """A classifier of images with so many pixels on a side, whose first layer is `layer`."""
    inputs = keras.Input((side, side, 3))
    x = keras.layers.GlobalAveragePooling2D()(layer(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture(scope="module")
def interpreter(tflite):
    return Interpreter(model_path=str(tflite))


def test_it_has_the_one_named_signature_with_a_dynamic_batch(model, interpreter):
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["images"], "outputs": ["probabilities"]}}
    (details,) = interpreter.get_input_details()
    assert details["dtype"] == np.float32
    assert details["shape_signature"].tolist() == [-1, *model.input_shape[1:]]


@pytest.mark.parametrize("scope_size", [None, 7])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_no_lambda_layer_becomes_a_convolution_in_3d(scope_size, batch_size, operations, tmp_path):
    """XNNPACK does not take it. The local scope is small enough for the layer to convolve."""
    path = export_tflite(
        one_layer(lk.layers.LambdaLayer(8, scope_size=scope_size, intra_depth=2), 16),
        tmp_path / "model.tflite",
        batch_size=batch_size,
    )
    assert not operations(path) & {"CONV_3D", "CUSTOM"}


@pytest.mark.parametrize(
    ("kind", "dtype", "share"),
    [
        ("none", "float32", 1.0),
        ("float16", "float32", 0.6),
        ("dynamic", "float32", 1.0),
        ("int8", "int8", 0.6),
        ("int8-float-io", "float32", 0.6),
        # E is in float32 there, much of so small a model.
        ("int8-float-lambdas", "float32", 1.0),
    ],
)
def test_each_kind_has_its_inputs_and_its_size(quantized, kind, dtype, share):
    interpreter = Interpreter(model_path=str(quantized[kind]))
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["images"], "outputs": ["probabilities"]}}
    for (details,) in (interpreter.get_input_details(), interpreter.get_output_details()):
        assert details["dtype"] == np.dtype(dtype)
        assert details["shape_signature"][0] == -1
    assert quantized[kind].stat().st_size <= share * quantized["none"].stat().st_size


@pytest.mark.parametrize(
    ("kind", "largest", "mean"), [("none", 1e-5, 1e-6), ("float16", 1e-2, 1e-3), ("dynamic", 0.1, 2e-3)]
)
def test_the_bounds_of_the_float_kinds(digits_model, digits_test, quantized, kind, largest, mean):
    images = digits_test.normalised(0, 200)
    result = Interpreter(model_path=str(quantized[kind])).get_signature_runner()(images=images)["probabilities"]
    difference = np.abs(result - digits_model.predict(images, verbose=0))
    assert difference.max() < largest
    assert difference.mean() < mean


def test_wildcards_in_the_path_are_letters(tmp_path):
    layer = keras.layers.Conv2D(2, 3)
    path = export_tflite(one_layer(layer, 4), tmp_path / "x[1]" / "model.tflite")
    assert [file.name for file in path.parent.iterdir()] == ["model.tflite"]
    assert Interpreter(model_path=str(path)).get_signature_list()


def test_a_batch_can_be_fixed(plain_model, tmp_path):
    path = export_tflite(plain_model, tmp_path / "model.tflite", batch_size=3)
    (details,) = Interpreter(model_path=str(path)).get_input_details()
    assert details["shape_signature"].tolist() == [3, 8, 8, 3]


def test_images_for_a_kind_that_takes_none_are_refused(digits_model, digits_calibration, tmp_path):
    with pytest.raises(
        UserError, match="--calibration is for --quantize int8, int8-float-io, int8-float-lambdas, got float16"
    ):
        export_tflite(digits_model, tmp_path / "model.tflite", "float16", digits_calibration)


@pytest.fixture
def loops(monkeypatch):
    """Lambda layers with a loop over their chunks of queries, where no more than so many are written out."""
    monkeypatch.setattr(chunks, "UNROLLED_CHUNKS_IN_INFERENCE", chunks.UNROLLED_CHUNKS)


def test_of_a_loop_only_what_the_converter_makes_right_is_written(loops, digits_calibration, tmp_path):
    layer = lk.layers.LambdaLayer(8)
    layer.plan = lambda *_, **__: Plan("query_first", 2)
    model = one_layer(layer, 32)
    path = tmp_path / "model.tflite"
    with pytest.raises(UserError, match="for a known number of images only; give it with --batch"):
        export_tflite(model, path)
    with pytest.raises(UserError, match="cannot be in int8, got --quantize dynamic; take float16"):
        export_tflite(model, path, "dynamic", batch_size=2)
    with pytest.raises(UserError, match="cannot be in int8, got --quantize int8;"):
        export_tflite(model, path, "int8", digits_calibration, batch_size=2)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    result = Interpreter(model_path=str(export_tflite(model, path, batch_size=2))).get_signature_runner()(images=images)
    np.testing.assert_allclose(result["probabilities"], model(images), atol=1e-5)


@pytest.mark.parametrize(("kind", "tolerance"), [("none", 1e-5), ("dynamic", 0.01), ("int8-float-lambdas", 0.03)])
def test_a_large_map_takes_every_kind_and_any_batch(kind, tolerance, operations, tmp_path):
    """The layer of lambda_resnet50ts at 256 pixels: 32 by 32 positions, in the order that makes chunks of queries."""
    layer = lk.layers.LambdaLayer(64, scope_size=9, implementation="query_first")
    model = one_layer(layer, 32)
    assert layer.plan((None, 32, 32, 3)).query_rows in range(1, 32)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype="uint8")
    calibration = Calibration(pixels[:40], pixels[40:], np.full(3, 0.5, "float32"), np.full(3, 0.3, "float32"))
    path = export_tflite(model, tmp_path / "model.tflite", kind, calibration if kind in CALIBRATED else None)
    assert "WHILE" not in operations(path)
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    for batch in (1, 3):
        images = calibration.normalised(pixels[:batch])
        result = runner(images=images)["probabilities"]
        np.testing.assert_allclose(result, model(images, training=False), atol=tolerance)


def test_a_calibration_that_clips_leaves_the_older_file(digits_model, digits_calibration, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_text("older")
    dim = dataclasses.replace(digits_calibration, images=digits_calibration.images // 4)
    with pytest.raises(UserError, match="the calibration covers too little: input"):
        export_tflite(digits_model, path, "int8", dim)
    assert os.listdir(tmp_path) == ["model.tflite"]
    assert path.read_text() == "older"


def test_the_weights_are_float32_and_written_once(model, tflite):
    assert tflite.stat().st_size < 1.05 * 4 * model.count_params() + 200_000


def test_an_operation_that_is_not_built_in_is_refused(tmp_path, capfd):
    class InverseErrorFunction(keras.layers.Layer):
        def call(self, x):
            return keras.ops.erfinv(x)

    model = one_layer(InverseErrorFunction(), 4)
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
    model = one_layer(keras.layers.Conv2D(4, 3, dtype="mixed_float16"), 4)
    with pytest.raises(UserError, match="the model computes in float16"):
        export_tflite(model, tmp_path / "model.tflite")


def test_another_suffix_is_refused(plain_model, tmp_path):
    with pytest.raises(UserError, match=r"must end in \.tflite"):
        export_tflite(plain_model, tmp_path / "model.lite")


def test_a_folder_in_its_place_is_named(plain_model, tmp_path):
    (tmp_path / "model.tflite").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*model.tflite: Is a directory"):
        export_tflite(plain_model, tmp_path / "model.tflite")


def test_a_full_disk_leaves_nothing_and_is_one_line(plain_model, tmp_path):
    with little_room(), pytest.raises(UserError, match=r"cannot write to .*: .*; make room there"):
        export_tflite(plain_model, tmp_path / "model.tflite")
    assert os.listdir(tmp_path) == []
