"""Squeeze-and-excitation against its equations in NumPy."""

import keras
import numpy as np

from lambda_keras.layers import SqueezeExcitation


def test_equals_the_equations():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 8)).astype("float32")
    layer = SqueezeExcitation(ratio=4)
    layer.build(x.shape)
    layer.set_weights([w + 0.1 for w in layer.get_weights()])
    w1, b1, w2, b2 = layer.get_weights()
    assert w1.shape == (8, 2)
    gates = 1 / (1 + np.exp(-(np.maximum(x.mean((1, 2)) @ w1 + b1, 0) @ w2 + b2)))
    np.testing.assert_allclose(layer(x), x * gates[:, None, None], atol=1e-6)


def test_saves_and_reloads(tmp_path):
    inputs = keras.Input((None, None, 8))
    model = keras.Model(inputs, SqueezeExcitation(ratio=2)(inputs))
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 8)).astype("float32")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded.predict(x, verbose=0), model.predict(x, verbose=0))
