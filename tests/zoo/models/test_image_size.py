import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.weights import WeightsWarning
from lambda_keras.weights.transfer import resize_table
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.image_size import with_image_size


def test_a_local_scope_keeps_all_weights(recwarn):
    model = lk.create_model("lambda_resnet_tiny", input_shape=(32, 32, 3))
    resized = with_image_size(model, 48, "tiny")
    # The same layers, made for any size from the start.
    free = lk.create_model("lambda_resnet_tiny", input_shape=(None, None, 3))
    free.set_weights(model.get_weights())
    images = np.random.default_rng(0).normal(size=(2, 48, 48, 3)).astype("float32")
    np.testing.assert_allclose(resized.predict(images, verbose=0), free.predict(images, verbose=0), atol=1e-6)
    assert not [warning for warning in recwarn if warning.category is WeightsWarning]


def test_tables_of_a_global_scope_are_resized_and_it_is_said():
    model = lk.create_model("lambda_resnet_tiny", input_shape=(32, 32, 3), scope_size=None)
    name = "c4_block2_lambda/position_embedding/table"
    with pytest.warns(WeightsWarning, match=f"{name}: resized from 15×15 offsets to 23×23"):
        resized = with_image_size(model, 48, "tiny")
    before, after = (next(v.numpy() for v in m.weights if v.path == name) for m in (model, resized))
    np.testing.assert_array_equal(after, resize_table(before, (23, 23)))


def test_a_table_that_layers_share_is_shared_in_the_copy():
    images, shared = keras.Input((8, 8, 3)), lk.layers.RelativePositionEmbedding(key_dim=4)
    x = lk.layers.LambdaLayer(8, key_dim=4, position_embedding=shared)(images)
    x = lk.layers.LambdaLayer(8, key_dim=4, position_embedding=shared)(x)
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    with pytest.warns(WeightsWarning, match="resized from 15×15 offsets to 23×23"):
        resized = with_image_size(keras.Model(images, outputs), 12, "shared")
    first, second = (layer for layer in resized.layers if isinstance(layer, lk.layers.LambdaLayer))
    assert first.position_embedding is second.position_embedding


def test_a_model_that_takes_the_size_stays_itself(model):
    assert with_image_size(model, 32, "tiny") is model
    free = lk.create_model("lambda_resnet_tiny", input_shape=(None, None, 3))
    assert with_image_size(free, 48, "tiny") is free


def test_layers_that_fit_one_size_are_refused():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs)))
    with pytest.raises(UserError, match=r"flat takes images of 4x4 only, got 8x8: .*\[192, 2\]"):
        with_image_size(model, 8, "flat")
