import keras
import pytest

import lambda_keras as lk
from lambda_keras.export.tflite.delegation import operations_outside_xnnpack
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.layers import chunks
from lambda_keras.layers.contraction_plan import Plan


def model_of(*layers, side=8):
    """A classifier of these layers for images with so many pixels on a side."""
    inputs = keras.Input((side, side, 3))
    x = inputs
    for layer in layers:
        x = layer(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def query_first(filters):
    return lk.layers.LambdaLayer(filters, implementation="query_first")


@pytest.mark.parametrize("batch_size", [None, 2])
def test_convolutions_are_delegated_as_a_whole(tmp_path, batch_size):
    model = model_of(keras.layers.Conv2D(8, 3), keras.layers.BatchNormalization(), keras.layers.ReLU())
    path = export_tflite(model, tmp_path / "model.tflite", batch_size=batch_size)
    assert not operations_outside_xnnpack(path)


def test_of_a_lambda_layer_only_the_lookup_of_positions_is_outside(tmp_path):
    path = export_tflite(model_of(query_first(8)), tmp_path / "model.tflite", batch_size=2)
    assert operations_outside_xnnpack(path) == {"GATHER": 1}


def test_a_batch_of_any_size_costs_shapes(tmp_path):
    """Shapes are computed; all numbers but those of the lookup are with XNNPACK as before."""
    path = export_tflite(model_of(query_first(8)), tmp_path / "model.tflite")
    assert set(operations_outside_xnnpack(path)) == {"GATHER", "SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE"}


def test_what_xnnpack_does_not_know_is_counted(tmp_path):
    """Between operations that it knows, which it then runs in three parts."""

    class Sums(keras.layers.Layer):
        def call(self, x):
            return keras.ops.cumsum(x, axis=1)

    convolutions = [keras.layers.Conv2D(8, 3) for _ in range(3)]
    model = model_of(convolutions[0], Sums(), convolutions[1], Sums(), convolutions[2])
    path = export_tflite(model, tmp_path / "model.tflite", batch_size=1)
    assert operations_outside_xnnpack(path) == {"CUMSUM": 2}


def test_a_loop_is_outside(monkeypatch, tmp_path):
    """Tensors that are not there have the number -1: they must not lead from one operation to another."""
    monkeypatch.setattr(chunks, "UNROLLED_CHUNKS_IN_INFERENCE", 8)
    layer = query_first(8)
    layer.plan = lambda *_, **__: Plan("query_first", 2)
    model = model_of(layer, side=32)
    path = export_tflite(model, tmp_path / "model.tflite", batch_size=1)
    assert operations_outside_xnnpack(path)["WHILE"] == 1
