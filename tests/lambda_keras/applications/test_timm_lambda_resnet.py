"""The three networks of timm: parameter counts and lambda blocks of their published tables, their own details."""

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.layers import LambdaLayer


@pytest.mark.parametrize(
    ("function", "parameters", "lambdas"),
    [
        (lk.LambdaResNet26T, 10_958_272, ["c4_block2", "c5_block1", "c5_block2"]),
        (lk.LambdaResNet26RPT256, 10_988_688, ["c4_block2", "c5_block1", "c5_block2"]),
        (lk.LambdaResNet50TS, 21_536_832, ["c3_block4", "c4_block2", "c4_block4", "c4_block6", "c5_block2"]),
    ],
    ids=["26t", "26rpt_256", "50ts"],
)
def test_parameters_and_lambda_blocks(function, parameters, lambdas):
    model = function()
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == parameters
    layers = [layer for layer in model.layers if isinstance(layer, LambdaLayer)]
    assert [layer.name.removesuffix("_lambda") for layer in layers] == lambdas
    assert {layer.scope_size for layer in layers} == ({None} if "rpt" in model.name else {9})
    assert {layer.use_position_bias for layer in layers} == {"rpt" not in model.name}


def test_a_maximum_below_zero_survives_the_edge():
    # SiLU goes below zero: were the map padded by zeros, they would win at the edges.
    image = keras.Input((8, 8, 3))
    model = lk.create_model("lambda_resnet50ts", input_tensor=image, blocks=(1, 1, 1, 1), lambda_blocks=((),) * 4)
    pool = model.get_layer("stem_pool")
    stem = keras.Model(image, [model.get_layer("stem3_silu").output, pool.output])
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    before, after = (np.asarray(y) for y in stem(x))
    padded = np.pad(before, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_array_equal(after, windows.max(axis=(-2, -1)))
    assert (after < 0).any()


def test_any_size_where_the_scope_is_local():
    model = lk.create_model("lambda_resnet26t", input_shape=(None, None, 3), features_only=True)
    shapes = {stage: tuple(x.shape) for stage, x in model(np.zeros((1, 96, 64, 3), "float32")).items()}
    assert shapes == {"c2": (1, 24, 16, 256), "c3": (1, 12, 8, 512), "c4": (1, 6, 4, 1024), "c5": (1, 3, 2, 2048)}
    with pytest.raises(ValueError, match="known size"):
        lk.create_model("lambda_resnet26rpt_256", input_shape=(None, None, 3))
