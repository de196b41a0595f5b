"""The re-indexing of R into E, pair by pair; a table that layers share, and its copies; what a table refuses."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lambda_keras as lk
from lambda_keras.layers import LambdaLayer, RelativePositionEmbedding
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.relative_position import (
    check_scope_size,
    expand_columns,
    expand_pairs,
    expand_rows,
    fit_table,
)
from tests.lambda_keras.layers.reference import embeddings_of_pairs
from tests.lambda_keras.layers.small_layers import random_inputs

sides = st.integers(1, 5)


@settings(max_examples=30, deadline=None)
@given(
    grids=st.one_of(st.lists(st.tuples(sides, sides), min_size=1, max_size=2), st.just([(2, 3), (3, 1), (2, 2)])),
    scope=st.sampled_from([None, 1, 3, 7]),
)
def test_embeddings_are_looked_up_by_offset(grids, scope):
    query_grid, context_grid = zip(*grids, strict=True)
    layer = RelativePositionEmbedding(key_dim=2, intra_depth=3, scope_size=scope)
    x, context = np.zeros((1, *query_grid, 4)), np.zeros((1, *context_grid, 4))
    embeddings = keras.ops.convert_to_numpy(layer(x, context))
    assert embeddings.shape == layer.compute_output_shape(x.shape, context.shape)
    expected = embeddings_of_pairs(layer.get_weights()[0], query_grid, context_grid)
    # To the bit: no arithmetic touches an embedding.
    np.testing.assert_array_equal(embeddings, expected)
    pairs = keras.ops.convert_to_numpy(expand_pairs(layer.table, Grids(query_grid, context_grid)))
    n, m, k, u = expected.shape
    np.testing.assert_array_equal(pairs.reshape(n, m, u, k), np.swapaxes(expected, -1, -2))


@pytest.mark.parametrize("gathers", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_rows_expanded_a_few_at_a_time(rows, gathers):
    grids = Grids((6, 4), (5, 3))
    table = np.random.default_rng(0).normal(size=(11, 7, 2, 3)).astype("float32")
    columns = expand_columns(fit_table(table, grids), grids)
    everything = embeddings_of_pairs(table, grids.queries, grids.context).reshape(6, 4, 15, 2, 3)
    for first in range(0, 6, rows):
        some = expand_rows(columns, 5 - first, rows, 5, gathers)
        # Queries column by column; intra-depth beside the context, key depth last.
        expected = everything[first : first + rows].transpose(1, 0, 2, 4, 3).reshape(4 * rows, 45, 2)
        np.testing.assert_array_equal(some, expected)


def test_bfloat16_keeps_every_embedding():
    layer = RelativePositionEmbedding(key_dim=4, scope_size=5, dtype="mixed_bfloat16")
    embeddings = keras.ops.convert_to_numpy(keras.ops.cast(layer(np.zeros((1, 6, 6, 1))), "float32"))
    table = keras.ops.cast(keras.ops.cast(layer.table, "bfloat16"), "float32")
    np.testing.assert_array_equal(embeddings, embeddings_of_pairs(table, (6, 6), (6, 6)))


def test_config_round_trip():
    options = {"intra_depth": 2, "scope_size": (5, 3), "embeddings_initializer": "zeros", "name": "here"}
    layer = RelativePositionEmbedding(key_dim=4, **options)
    again = RelativePositionEmbedding.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again.build((None, 4, 4, 8))
    np.testing.assert_array_equal(again.table, np.zeros((5, 3, 4, 2)))


@pytest.mark.parametrize("scope", [None, 1, 23, (5, 3)])
def test_good_scopes(scope):
    assert check_scope_size(scope, rank=2) == scope


@pytest.mark.parametrize("scope", [0, 2, -3, 4.5, "7", (3, 4), ()])
def test_bad_scopes(scope):
    with pytest.raises(ValueError, match="odd"):
        check_scope_size(scope)


def test_an_axis_too_many():
    with pytest.raises(ValueError, match="one for each axis"):
        check_scope_size((3, 3, 3), rank=2)


def test_a_shared_table_of_another_rank():
    layer = RelativePositionEmbedding(key_dim=4, scope_size=3)
    layer.build((None, 4, 4, 8))
    with pytest.raises(ValueError, match="2 axes"):
        layer(np.zeros((1, 16, 8)))


@pytest.mark.parametrize(("scope", "grid"), [(1_000_001, (8, 8)), (None, (10_000, 10_000)), ((1, 2**31 + 1), (8, 8))])
def test_a_table_beyond_all_memory_is_refused(scope, grid):
    embedding = RelativePositionEmbedding(key_dim=16, scope_size=scope)
    with pytest.raises(ValueError, match=r"more than 268,435,456 numbers; give a smaller `scope_size`"):
        embedding.build((None, *grid, 8))


@pytest.fixture
def sharing():
    """A model whose two layers share a position table."""
    inputs = keras.Input((4, 5, 8))
    shared = RelativePositionEmbedding(key_dim=4, scope_size=3)
    x = LambdaLayer(key_dim=4, position_embedding=shared, name="first")(inputs)
    return keras.Model(inputs, LambdaLayer(key_dim=4, position_embedding=shared, name="second")(x))


def through_a_file(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


def through_a_shared_folder(model, folder):
    lk.save_pretrained(model, folder, lk.weights.Preprocessor(4, mean=[0] * 8, std=[1] * 8))
    return lk.from_pretrained(folder)


def by_clone_model(model, folder):
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    return clone


def by_clone_model_of_a_clone(model, folder):
    return by_clone_model(by_clone_model(model, folder), folder)


def inside_a_cloned_model(model, folder):
    # Whose table its layer shares, too.
    table = model.get_layer("first").position_embedding
    outer = keras.Sequential([model, LambdaLayer(key_dim=4, position_embedding=table, name="third")])
    for recursive in (False, True):
        clone = keras.models.clone_model(outer, recursive=recursive)
        clone.set_weights(outer.get_weights())
        inner, third = clone.layers
        assert third.position_embedding is inner.get_layer("first").position_embedding
    return inner


@pytest.mark.parametrize(
    "copy",
    [through_a_file, through_a_shared_folder, by_clone_model, by_clone_model_of_a_clone, inside_a_cloned_model],
)
def test_layers_share_a_table_and_still_do_in_a_copy(sharing, copy, tmp_path):
    original = sharing.get_layer("first").position_embedding
    assert len({id(w) for w in sharing.weights if w.path.endswith("table")}) == 1
    copied = copy(sharing, tmp_path)
    first, second = (copied.get_layer(name).position_embedding for name in ("first", "second"))
    assert first is second
    assert first is not original
    assert copied.count_params() == sharing.count_params()
    x = random_inputs(2, 4, 5, 8).astype("float32")
    np.testing.assert_array_equal(copied.predict(x, verbose=0), sharing.predict(x, verbose=0))


def test_each_clone_has_a_table_of_its_own(sharing):
    # A single layer, copied in vain, leaves nothing behind that the next clone would share.
    with pytest.raises(ValueError, match="first shares its position table"):
        LambdaLayer.from_config(sharing.get_layer("first").get_config())
    clones = [keras.models.clone_model(sharing) for _ in range(2)]
    one, two = ([model.get_layer(name).position_embedding for name in ("first", "second")] for model in clones)
    assert one[0] is one[1]
    assert two[0] is two[1]
    assert one[0] is not two[0]


@pytest.mark.parametrize(
    "copy",
    [
        lambda model: keras.Model.from_config(model.get_config()),
        lambda model: keras.models.model_from_json(model.to_json()),
        lambda model: LambdaLayer.from_config(model.get_layer("first").get_config()),
    ],
    ids=["from_config", "json", "layer"],
)
def test_a_copy_that_would_give_each_layer_a_table_is_refused(sharing, copy):
    with pytest.raises(ValueError, match=r"first shares its position table .* `keras\.models\.clone_model\(model\)`"):
        copy(sharing)


def test_a_table_that_one_layer_was_given_is_copied_with_it():
    layer = LambdaLayer(key_dim=4, position_embedding=RelativePositionEmbedding(key_dim=4, scope_size=3))
    again = LambdaLayer.from_config(layer.get_config())
    assert again.position_embedding is not layer.position_embedding
    assert again.get_config() == layer.get_config()
