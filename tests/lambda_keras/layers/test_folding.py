"""Projections with folded batch normalisation follow their variables, and stay apart where there is more to them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.layers import LambdaLayer
from tests.lambda_keras.layers import reference


@pytest.fixture
def layer():
    layer = LambdaLayer(num_heads=2, key_dim=4, scope_size=3)
    layer.build((None, 3, 4, 8))
    return layer


def change(layer, seed):
    """Gives every variable other values, the moving statistics among them."""
    random = np.random.default_rng(seed)
    for variable in layer.variables:
        low, high = (0.5, 2) if variable.name in ("gamma", "moving_variance") else (-1, 1)
        variable.assign(random.uniform(low, high, variable.shape))


def test_a_graph_follows_the_weights(layer):
    inputs = keras.Input((3, 4, 8))
    model = keras.Model(inputs, layer(inputs))
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 8)).astype("float32")
    for seed in (1, 2):
        change(layer, seed)
        expected = reference.lambda_layer(layer, images)
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
        np.testing.assert_allclose(layer(images, training=False), expected, atol=1e-5)


def test_adapters_count(layer):
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 8)).astype("float32")
    before = layer(images, training=False)
    layer.value_projection.enable_lora(2)
    layer.value_projection.lora_kernel_b.assign(np.ones(layer.value_projection.lora_kernel_b.shape))
    assert np.abs(layer(images, training=False) - before).max() > 0.1


def test_gradients_without_training_are_those_of_separate_projections(layer):
    """Where batch normalisation is frozen, as in fine-tuning."""
    change(layer, 0)
    images = tf.random.stateless_normal((2, 3, 4, 8), seed=(0, 0))

    def gradients(context):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(images, context, training=False) ** 2)
        return tape.gradient(loss, [variable.value for variable in layer.trainable_variables])

    # A context that is not the very same tensor is projected by itself.
    for at_once, apart in zip(gradients(None), gradients(tf.identity(images)), strict=True):
        np.testing.assert_allclose(at_once, apart, rtol=1e-3, atol=1e-4)
