"""FusedLambdaLayer against the equations of the lambda layer that it stands for, in every order and chunking."""

import keras
import numpy as np
import pytest

from lambda_keras.layers import FusedLambdaLayer, fused_lambda_layer
from lambda_keras.layers.chunks import expand, shape_of_embeddings
from lambda_keras.layers.contraction_plan import DENSE_ORDERS, Plan
from lambda_keras.layers.grids import Grids
from tests.lambda_keras.layers import reference
from tests.lambda_keras.layers.small_layers import OPTIONS, make_layer, output, random_inputs


def fuse(layer, shape, **arguments):
    fused = FusedLambdaLayer.from_config({**FusedLambdaLayer.config_of(layer, shape), **arguments})
    fused.build(shape)
    fused.copy_weights(layer)
    return fused


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_equals_the_equations(options):
    x = random_inputs(2, 4, 5, 8)
    layer = make_layer(x, **options)
    np.testing.assert_allclose(output(fuse(layer, x.shape), x), reference.lambda_layer(layer, x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("intra_depth", [1, 2])
@pytest.mark.parametrize("scope_size", [None, 3, 7], ids=["global", "band", "few bands"])
# All rows at once, six chunks written out, and twelve in a loop, or in inference written out too.
@pytest.mark.parametrize("query_rows", [None, 2, 1])
@pytest.mark.parametrize("order", DENSE_ORDERS)
def test_stored_embeddings_in_every_order_and_chunking(order, query_rows, scope_size, intra_depth):
    x = random_inputs(2, 12, 3, 5)
    layer = make_layer(x, scope_size=scope_size, intra_depth=intra_depth)
    fused = fuse(layer, x.shape, embeddings_plan=(order, query_rows))
    expected = reference.lambda_layer(layer, x)
    for training in (None, False):
        np.testing.assert_allclose(output(fused, x, training=training), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("grid", [(7,), (2, 3, 4)])
def test_other_ranks(grid):
    x = random_inputs(2, *grid, 5)
    layer = make_layer(x, scope_size=3, implementation="query_first")
    fused = fuse(layer, x.shape)
    assert fused.embeddings_plan is not None
    np.testing.assert_allclose(output(fused, x), reference.lambda_layer(layer, x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("query_rows", [None, 2, 4])
@pytest.mark.parametrize("scope", [(15, 7), (3, 3), (5, 9)])
def test_the_shape_of_embeddings_is_known_before_they_are_made(scope, query_rows):
    plan = Plan("query_first", query_rows)
    table = np.random.default_rng(0).normal(size=(*scope, 3, 2)).astype("float32")
    for grids in (Grids((8, 4), (8, 4)), Grids((8, 4), (6, 5))):
        assert shape_of_embeddings(table.shape, grids, plan) == expand(table, grids, plan).shape


def test_embeddings_are_stored_where_they_are_small(monkeypatch):
    x = random_inputs(1, 4, 4, 8)
    layer = make_layer(x, scope_size=None)
    numbers = 16 * 16 * layer.key_dim
    for limit, stored in ((4 * numbers, True), (4 * numbers - 1, False)):
        monkeypatch.setattr(fused_lambda_layer, "LARGEST_EMBEDDINGS", limit)
        fused = fuse(layer, x.shape)
        assert (fused.embeddings_plan is not None) == stored
        assert fused.count_params() - fused.kernel.shape[0] * fused.kernel.shape[1] - fused.bias.shape[0] == (
            numbers if stored else layer.position_embedding.count_params()
        )
        np.testing.assert_allclose(output(fused, x), reference.lambda_layer(layer, x), rtol=0, atol=1e-9)


def test_a_convolution_keeps_the_table():
    x = random_inputs(1, 8, 8, 8)
    for options in ({"scope_size": 3, "implementation": "convolution"}, {"use_position": False}):
        layer = make_layer(x, **options)
        assert fuse(layer, x.shape).embeddings_plan is None


def test_bad_calls_are_refused():
    x = random_inputs(1, 4, 4, 8)
    fused = fuse(make_layer(x), x.shape)
    with pytest.raises(ValueError, match="neither a context nor a mask"):
        fused(x, context=random_inputs(1, 4, 4, 8))
    with pytest.raises(ValueError, match="neither a context nor a mask"):
        fused(x, mask=np.ones((16, 16)))
    with pytest.raises(ValueError, match=r"grid \(4, 4\).*Received: grid \(4, 5\)"):
        fused(random_inputs(1, 4, 5, 8))
    with pytest.raises(ValueError, match="embeddings_plan=\\('convolution', None\\)"):
        FusedLambdaLayer(embeddings_plan=("convolution", None))


def test_the_config_makes_the_same_layer():
    layer = FusedLambdaLayer(
        filters=8, num_heads=2, scope_size=(3, 5), embeddings_plan=("query_first", 2), name="fused"
    )
    again = FusedLambdaLayer.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer)).embeddings_plan == (
        layer.embeddings_plan
    )
