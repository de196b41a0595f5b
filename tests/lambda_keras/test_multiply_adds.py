"""The counter against hand counts and published counts."""

import keras
import pytest

import lambda_keras as lk
from lambda_keras.layers import LambdaLayer, SqueezeExcitation


def count(inputs, *layers):
    x = inputs
    for layer in layers:
        x = layer(x)
    return lk.count_multiply_adds(keras.Model(inputs, x))


def test_hand_counts():
    image = keras.Input((8, 6, 4))
    assert count(image, keras.layers.Conv2D(5, 3, strides=2, padding="same")) == 4 * 3 * 5 * 3 * 3 * 4
    assert count(image, keras.layers.Conv2D(6, 3, groups=2, padding="same")) == 8 * 6 * 6 * 3 * 3 * 2
    assert count(image, keras.layers.DepthwiseConv2D(3, padding="same")) == 8 * 6 * 4 * 9
    assert count(image, keras.layers.Dense(7)) == 8 * 6 * 4 * 7
    assert count(image, keras.layers.ReLU(), keras.layers.BatchNormalization()) == 0
    assert count(image, SqueezeExcitation(ratio=2)) == 2 * 4 * 2 + 8 * 6 * 4


def test_a_lambda_layer_by_hand():
    # n = m = 48, d = 4, filters 8, h = 2, k = 3, v = 4, u = 2.
    projections = 48 * 4 * (2 * 3 + 2 * 3 + 2 * 4)
    content = 48 * 2 * 3 * 4
    application = 48 * 3 * 8
    for scope, positions in ((None, 48 * 48 * 2 * 3 * 4), (3, 48 * 9 * 2 * 3 * 4)):
        layer = LambdaLayer(8, num_heads=2, key_dim=3, intra_depth=2, scope_size=scope)
        assert count(keras.Input((8, 6, 4)), layer) == projections + content + positions + application


def test_a_shared_layer_counts_each_time_and_a_nested_model_counts():
    image, dense = keras.Input((5,)), keras.layers.Dense(5)
    assert count(image, dense, dense) == 50
    assert count(image, keras.Model(image, dense(image)), keras.layers.Dense(2)) == 25 + 10


def test_published_counts():
    # He et al. report 3.8 billion for ResNet-50 with the stride on the 1×1; with it on the 3×3, 4.1 (timm: 4.09).
    assert lk.count_multiply_adds(lk.create_model("resnet50_cccc")) / 1e9 == pytest.approx(4.09, abs=0.005)
    # Sandler et al., table 4: 300 million.
    assert lk.count_multiply_adds(lk.create_model("mobilenet_v2")) / 1e6 == pytest.approx(300, abs=1)


def test_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match="known `input_shape`"):
        lk.count_multiply_adds(lk.create_model("lambda_resnet_tiny", input_shape=(None, None, 3)))
