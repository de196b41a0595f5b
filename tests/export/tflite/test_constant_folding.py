import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import lambda_keras as lk
from lambda_keras.export.tflite.constant_folding import save_folded
from lambda_keras.export.tflite.signatures import ServedClassifier
from lambda_keras.export.tflite.writer import export_tflite


@pytest.fixture(scope="module")
def large_map():
    """A lambda layer on 14 by 14 positions, whose products of constants are large enough to be quantised; SiLU."""
    inputs = keras.Input((14, 14, 3))
    x = keras.layers.Activation("silu")(lk.layers.LambdaLayer(8)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).normal(size=(3, 14, 14, 3)).astype("float32")


def test_the_numbers_are_the_same(large_map, pixels, tmp_path):
    save_folded(ServedClassifier(large_map).probabilities, tmp_path / "folded")
    serving = tf.saved_model.load(str(tmp_path / "folded")).signatures["serving_default"]
    result = serving(images=tf.constant(pixels))["probabilities"]
    np.testing.assert_allclose(result, large_map(pixels), atol=1e-6)


def test_a_large_map_runs_with_quantised_weights(large_map, pixels, tmp_path):
    """Without folding the file could not be run: one of the two constants of a product was int8, the other float."""
    path = export_tflite(large_map, tmp_path / "model.tflite", "dynamic")
    result = Interpreter(model_path=str(path)).get_signature_runner()(images=pixels)["probabilities"]
    np.testing.assert_allclose(result, large_map(pixels), atol=1e-2)
