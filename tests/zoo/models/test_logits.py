import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.zoo.models.logits import logits_node, with_logits


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(3, 4, 4, 3)).astype("float32")


def test_the_logits_are_those_of_the_same_model_without_softmax(model):
    twin = lk.create_model(
        "lambda_resnet_tiny", input_shape=(32, 32, 1), classes=10, batch_norm_momentum=0.0, classifier_activation=None
    )
    twin.set_weights(model.get_weights())
    images = np.random.default_rng(0).normal(size=(3, 32, 32, 1)).astype("float32")
    result = with_logits(model, {})(images)
    assert list(result) == ["logits"]
    np.testing.assert_allclose(result["logits"], twin.predict(images, verbose=0), atol=1e-4)
    assert model.layers[-1].activation is keras.activations.softmax
    assert logits_node(model).operation is model.layers[-1]


@pytest.mark.parametrize("top", [keras.layers.Softmax(), keras.layers.Activation("softmax")])
def test_a_softmax_of_its_own(images, top):
    classifier = keras.layers.Dense(5, bias_initializer="normal")
    inputs = keras.Input((4, 4, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, top(classifier(pooled)))
    result = with_logits(model, {"pooled": pooled})(images)
    np.testing.assert_allclose(result["logits"], classifier(images.mean((1, 2))), atol=1e-6)
    np.testing.assert_allclose(result["pooled"], images.mean((1, 2)), atol=1e-6)
    assert logits_node(model).operation is classifier


def test_a_sequential_model(images):
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5, activation="softmax")]
    model = keras.Sequential([keras.Input((4, 4, 3)), *layers])
    logits = with_logits(model, {})(images)["logits"].numpy()
    expected = np.log(model.predict(images, verbose=0))  # logits but for a constant
    centred = [x - x.mean(-1, keepdims=True) for x in (logits, expected)]
    np.testing.assert_allclose(*centred, atol=1e-5)


def test_softmax_inside_a_model_that_is_the_last_layer(model):
    images = np.random.default_rng(0).normal(size=(3, 32, 32, 1)).astype("float32")
    outer = keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Rescaling(0.5), model])
    expected = with_logits(model, {})(images / 2)["logits"]
    np.testing.assert_allclose(with_logits(outer, {})(images)["logits"], expected, rtol=1e-5, atol=1e-5)
    assert logits_node(outer).operation is model.layers[-1]
