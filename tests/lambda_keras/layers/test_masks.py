"""Masks of pairs of positions and masks of padding, against the equations with what is masked left out."""

import keras
import numpy as np
import pytest

from lambda_keras.layers import LambdaLayer
from lambda_keras.layers.contraction_plan import ORDERS
from tests.lambda_keras.layers import reference
from tests.lambda_keras.layers.small_layers import OPTIONS, make_layer, output, random_inputs


@pytest.mark.parametrize("options", [{}, {"scope_size": None}, {"use_position": False}], ids=str)
def test_a_causal_mask_leaks_nothing_from_the_future(options):
    x = random_inputs(2, 9, 8)
    layer = make_layer(x, **options)
    mask = np.tril(np.ones((9, 9)))
    changed = x.copy()
    changed[:, 5:] = random_inputs(2, 4, 8, seed=8, scale=100.0)
    np.testing.assert_array_equal(output(layer, changed, mask=mask)[:, :5], output(layer, x, mask=mask)[:, :5])


def test_a_causal_mask_works_where_the_future_has_far_larger_keys():
    x = random_inputs(1, 6, 8, scale=30.0)
    layer = make_layer(x)
    mask = np.tril(np.ones((6, 6), bool))
    np.testing.assert_allclose(output(layer, x, mask=mask), reference.lambda_layer(layer, x, mask=mask), rtol=1e-9)


def test_a_query_that_sees_nothing_returns_zeros():
    x = random_inputs(2, 4, 8)
    mask = np.ones((4, 4), bool)
    mask[2] = False
    y = output(make_layer(x), x, mask=mask)
    assert (y[:, 2] == 0).all()
    assert np.isfinite(y).all()


@pytest.mark.parametrize("as_grids", [False, True], ids=["positions", "grids"])
@pytest.mark.parametrize("options", [{"scope_size": 3, "intra_depth": 2, "use_position_bias": True}, {}], ids=str)
def test_a_mask_for_each_example_is_that_mask_alone(options, as_grids):
    x = random_inputs(3, 4, 5, 8)
    layer = make_layer(x, **options)
    masks = np.random.default_rng(2).random((3, 20, 20)) < 0.5
    masks[1, 7] = False  # It sees nothing.
    expected = [reference.lambda_layer(layer, x[i : i + 1], mask=mask) for i, mask in enumerate(masks)]
    found = output(layer, x, mask=masks.reshape(3, 4, 5, 4, 5) if as_grids else masks)
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-9, atol=1e-9)


# Images on the left of larger ones, sentences at the beginning of longer ones; of the last there is nothing.
LENGTHS = (5, 3, 0)


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_padding_changes_nothing(options, training):
    x, exists = random_inputs(3, 4, 5, 8), np.zeros((3, 4, 5), bool)
    for i, length in enumerate(LENGTHS):
        exists[i, :, :length] = True
    layer = make_layer(x, **options)
    pairs = np.broadcast_to(exists.reshape(3, 1, 20), (3, 20, 20))
    expected = reference.lambda_layer(layer, x, mask=pairs, training=training, exists=exists)
    garbage = np.where(exists[..., None], x, 1e3)
    found = output(layer, garbage, training=training, context_mask=exists)
    # Keras adds 1e-7 to the number of positions that it takes statistics of.
    tolerance = 1e-6 if training else 1e-9
    np.testing.assert_allclose(found[exists], expected[exists], rtol=tolerance, atol=tolerance)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("order", ["auto", *ORDERS])
def test_every_order_leaves_padding_out(order):
    x, exists = random_inputs(2, 6, 8), np.arange(6) < np.array([[6], [4]])
    layer = make_layer(x, scope_size=3, implementation=order)
    whole, alone = output(layer, x, context_mask=exists), output(layer, x[1:, :4])
    np.testing.assert_allclose(whole[1:, :4], alone, rtol=1e-9, atol=1e-9)


def test_padding_and_a_mask_of_pairs():
    x, context = random_inputs(2, 3, 8), random_inputs(2, 5, 4, seed=3)
    layer = make_layer(x, context, use_position_bias=True)
    mask, exists = np.random.default_rng(4).random((3, 5)) < 0.6, np.arange(5) < np.array([[3], [0]])
    expected = reference.lambda_layer(layer, x, context, mask=mask & exists[:, None])
    found = output(layer, x, context=context, mask=mask, context_mask=exists)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert (found[1] == 0).all()


def test_the_mask_of_an_embedding_passes_through_lambda_layers(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(10, 8, mask_zero=True)(tokens)
    x = LambdaLayer(scope_size=3, filters=8)(LambdaLayer(scope_size=3)(x))
    model = keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(x))
    model.save(tmp_path / "model.keras")
    for network in (model, keras.models.load_model(tmp_path / "model.keras")):
        padded, alone = network(np.array([[3, 1, 4, 0, 0], [1, 5, 9, 2, 6]])), network(np.array([[3, 1, 4]]))
        np.testing.assert_allclose(padded[:1], alone, atol=1e-6)
