import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.export.network import network
from lambda_keras.zoo.errors import UserError


@pytest.mark.parametrize("top", [keras.layers.Softmax(), keras.layers.Activation("softmax")])
def test_a_softmax_of_its_own(top):
    images = np.random.default_rng(0).normal(size=(3, 4, 4, 3)).astype("float32")
    classifier = keras.layers.Dense(5, bias_initializer="normal")
    pooled = keras.layers.GlobalAveragePooling2D()
    inputs = keras.Input((4, 4, 3))
    result = network(keras.Model(inputs, top(classifier(pooled(inputs)))), features=True)(images)
    assert sorted(result) == ["embedding", "logits"]
    np.testing.assert_allclose(result["logits"], classifier(pooled(images)), atol=1e-6)
    np.testing.assert_allclose(result["embedding"], images.mean((1, 2)), atol=1e-6)


def test_half_precision_gives_float32():
    inputs = keras.Input((4, 4, 3))
    pooled = keras.layers.GlobalAveragePooling2D(dtype="mixed_bfloat16")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(5, activation="softmax", dtype="mixed_bfloat16")(pooled))
    result = network(model, features=True)(np.zeros((1, 4, 4, 3), "float32"))
    assert {tensor.dtype.name for tensor in result.values()} == {"float32"}


@pytest.mark.parametrize("name", ["lambda_resnet_tiny", "lambda_resnet26t"])
def test_the_maps_are_those_of_features_only(name):
    arguments = {"input_shape": (64, 64, 3), "classes": 10}
    model = lk.create_model(name, **arguments)
    twin = lk.create_model(name, features_only=True, **arguments)
    weights = {variable.path: variable for variable in model.variables}
    for variable in twin.variables:
        variable.assign(weights[variable.path])
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    result = network(model, features=True)(images)
    assert set(result) == {"c2", "c3", "c4", "c5", "embedding", "logits"}
    for stage, expected in twin.predict(images, verbose=0).items():
        np.testing.assert_allclose(result[stage], expected, atol=1e-4)
    np.testing.assert_allclose(result["embedding"], np.mean(result["c5"], axis=(1, 2)), atol=1e-4)


def test_a_model_inside_a_model():
    trunk = lk.create_model("lambda_resnet_tiny", include_top=False, pooling="avg")
    model = keras.Sequential([trunk, keras.layers.Dense(3, activation="softmax", name="head")])
    model.build((None, 32, 32, 3))
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    result = network(model, features=True)(images)
    assert set(result) == {"c2", "c3", "c4", "c5", "embedding", "logits"}
    np.testing.assert_allclose(result["embedding"], trunk(images), atol=1e-5)
    np.testing.assert_allclose(keras.ops.softmax(result["logits"]), model(images), atol=1e-5)


def test_a_model_of_other_stages_has_the_embedding_alone(plain_model):
    assert set(network(plain_model, features=True)(np.zeros((1, 8, 8, 3), "float32"))) == {"embedding", "logits"}


def test_no_embedding():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(inputs)))
    with pytest.raises(UserError, match=r"--features: the layer .* takes \(None, 4, 4, 3\)"):
        network(model, features=True)
