"""Grad-CAM against what it is by hand: where an average pool and a dense layer follow the map, and by differences."""

import keras
import numpy as np
import pytest

from lambda_keras.zoo.explaining.grad_cam import grad_cam


def test_before_an_average_pool_it_is_the_classifiers_weights_on_the_map(model):
    image = np.random.default_rng(0).normal(size=(32, 32, 1)).astype("float32")
    (last_map,) = keras.Model(model.inputs, model.get_layer("average_pool").input).predict(image[None], verbose=0)
    # Grad-CAM is then CAM (section 3.1 of the paper), by the number of positions of the pool.
    expected = last_map @ model.layers[-1].kernel.numpy() / np.prod(last_map.shape[:2])
    assert expected.min() < 0 < expected.max()
    for label in range(10):
        np.testing.assert_allclose(grad_cam(model, image, label), np.maximum(expected[..., label], 0), atol=1e-5)


@pytest.mark.parametrize("trainable", [True, False])
def test_it_follows_gradients_by_differences(trainable):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 6, 2))
    convolution = keras.layers.Conv2D(3, 3, activation="relu")
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, "tanh"), keras.layers.Dense(3, bias_initializer="normal")]
    x = convolution(inputs)
    for layer in layers:
        x = layer(x)
    model = keras.Model(inputs, keras.layers.Softmax()(x))
    model.trainable = trainable
    image = np.random.default_rng(1).normal(size=(5, 6, 2)).astype("float32")
    last_map = np.asarray(convolution(image[None]), "float64")[0]
    (hidden, hidden_bias), (out, out_bias) = layers[1].get_weights(), layers[2].get_weights()

    def logit(of_map):
        return (np.tanh(of_map.ravel() @ hidden + hidden_bias) @ out + out_bias)[1]

    gradient = np.zeros(last_map.shape)
    for index in np.ndindex(last_map.shape):
        step = np.zeros(last_map.shape)
        step[index] = 1e-5
        gradient[index] = (logit(last_map + step) - logit(last_map - step)) / 2e-5
    expected = np.maximum((last_map * gradient.mean((0, 1))).sum(-1), 0)
    assert expected.max() > 0
    np.testing.assert_allclose(grad_cam(model, image, 1), expected, rtol=1e-4, atol=1e-6)


def test_half_precision():
    inputs = keras.Input((4, 4, 3))
    last_map = keras.layers.Conv2D(2, 1, kernel_initializer="ones", dtype="mixed_bfloat16")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D(dtype="mixed_bfloat16")(last_map)
    top = keras.layers.Dense(2, activation="softmax", kernel_initializer="ones", dtype="float32")
    found = grad_cam(keras.Model(inputs, top(pooled)), np.full((4, 4, 3), 0.5, "float32"), 0)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, 2 * 1.5 / 16, rtol=1e-2)


def test_it_runs_one_graph_for_all_images(model, layers_run_eagerly):
    clone = keras.models.clone_model(model)
    layers_run_eagerly.clear()
    for value in (0.1, 0.2):
        grad_cam(clone, np.full((32, 32, 1), value, "float32"), 0)
    # Two lambda layers, traced once.
    assert layers_run_eagerly == [False, False]
