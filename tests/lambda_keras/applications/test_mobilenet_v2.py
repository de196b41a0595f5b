"""MobileNetV2 against Keras' own, and where its lambda blocks stand."""

import keras
import numpy as np

import lambda_keras as lk
from lambda_keras.layers import LambdaLayer


def test_layers_are_those_of_keras_mobilenet():
    ours = lk.MobileNetV2(weights=None)
    theirs = keras.applications.MobileNetV2(weights=None)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]


def test_the_tenth_and_sixteenth_bottlenecks_are_light_lambda_blocks():
    model = lk.LambdaMobileNetV2(input_shape=(64, 64, 3))
    layers = [layer for layer in model.layers if isinstance(layer, LambdaLayer)]
    assert [layer.name for layer in layers] == ["block10_lambda", "block16_lambda"]
    assert [layer.value_dim * layer.num_heads for layer in layers] == [64, 160]
    assert all((layer.scope_size, layer.key_dim, layer.num_heads) == (5, 32, 4) for layer in layers)
    # Fewer than the bottlenecks that they replace, as the paper reports.
    assert model.count_params() < lk.MobileNetV2(input_shape=(64, 64, 3)).count_params()


def test_stage_maps():
    maps = lk.LambdaMobileNetV2(input_shape=(64, 96, 3), features_only=True).output
    assert {stage: tuple(x.shape[1:]) for stage, x in maps.items()} == {
        "c2": (16, 24, 24),
        "c3": (8, 12, 32),
        "c4": (4, 6, 96),
        "c5": (2, 3, 320),
    }


def test_runs():
    model = lk.LambdaMobileNetV2(input_shape=(64, 64, 3), classes=5)
    assert model(np.zeros((2, 64, 64, 3), "float32")).shape == (2, 5)
