"""The re-indexing of R into E, pair by pair, and what a table refuses."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_keras.layers import RelativePositionEmbedding
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.relative_position import (
    check_scope_size,
    expand_columns,
    expand_pairs,
    expand_rows,
    fit_table,
)
from tests.lambda_keras.layers.reference import embeddings_of_pairs

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
