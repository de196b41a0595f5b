"""The plan reads like its table, counts what is made, and keeps to its memory."""

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_keras.layers.chunks import shape_of_embeddings
from lambda_keras.layers.contraction_plan import (
    CONVOLUTIONS,
    DENSE_ORDERS,
    ON_ACCELERATORS,
    ON_AVX512,
    XLA_ON_AVX2,
    XLA_ON_AVX512,
    Depths,
    Plan,
    Problem,
    plan,
)
from lambda_keras.layers.devices import current_device
from lambda_keras.layers.grids import Grids


def plan_of_paper(grid, value_dim, num_heads=4, scope_size=(23, 23), mask=None, **arguments):
    return plan(Problem(Grids(grid, grid), Depths(num_heads, 16, value_dim), scope_size, mask=mask), **arguments)


@pytest.mark.parametrize(
    ("grid", "arguments", "order"),
    [
        # c4 and c5 of a LambdaResNet at 224.
        ((14, 14), {"value_dim": 64}, "query_first"),
        ((7, 7), {"value_dim": 128}, "query_first"),
        ((14, 14), {"value_dim": 64, "scope_size": None}, "query_first"),
        ((14, 14), {"value_dim": 64, "training": True}, "query_first"),
        ((14, 14), {"value_dim": 64, "scope_size": None, "device": ON_ACCELERATORS}, "query_first"),
        # Many heads for the depths: the paper's order.
        ((7, 7), {"value_dim": 8, "num_heads": 32}, "lambda_first"),
        # A scope far smaller than the map.
        ((56, 56), {"value_dim": 16, "scope_size": (3, 3)}, "depthwise_convolution"),
        ((9, 9, 9), {"value_dim": 16, "scope_size": (1, 1, 1)}, "convolution"),
        # What only a convolution can do.
        ((None, None), {"value_dim": 64}, "convolution"),
        # What the layer names.
        ((14, 14), {"value_dim": 64, "implementation": "lambda_first"}, "lambda_first"),
        ((14, 14), {"value_dim": 64, "implementation": "convolution"}, "convolution"),
    ],
)
def test_the_order_for_the_paper_s_layers(grid, arguments, order):
    assert plan_of_paper(grid, **arguments).order == order


@pytest.mark.parametrize("arguments", [{"device": XLA_ON_AVX512}, {"device": XLA_ON_AVX2}, {"mask": "shared"}])
def test_no_convolution_where_it_is_slow_or_wrong(arguments):
    assert plan_of_paper((56, 56), value_dim=16, scope_size=(3, 3), **arguments).order in DENSE_ORDERS


@settings(deadline=None)
@given(
    height=st.integers(1, 96),
    width=st.integers(1, 96),
    batch=st.integers(1, 64),
    scope=st.sampled_from([None, 3, 7, 23]),
    masked=st.booleans(),
    training=st.booleans(),
    implementation=st.sampled_from(("auto", *DENSE_ORDERS)),
    memory=st.integers(20, 30).map(lambda power: 2**power),
)
def test_a_plan_for_every_shape_within_its_memory(
    height, width, batch, scope, masked, training, implementation, memory
):
    grids = Grids((height, width), (height, width))
    chosen = plan(
        Problem(grids, Depths(4, 16, 32), scope and (scope, scope), batch, "shared" if masked else None),
        training=training,
        implementation=implementation,
        device=dataclasses.replace(ON_AVX512, memory=memory),
    )
    if chosen.order in CONVOLUTIONS:
        assert (implementation, masked) == ("auto", False)
        assert scope is not None
        return
    assert implementation in ("auto", chosen.order)
    rows = chosen.query_rows or height
    # No chunk is empty, and another number of rows would not make as many chunks with fewer rows.
    assert rows == 1 or math.ceil(height / (rows - 1)) > math.ceil(height / rows)
    # As a transcription counts it: E of the context that a chunk sees, and what lies between the two products.
    seen = width * (height if scope is None or masked or rows == height else min(height, rows + scope - 1))
    numbers = 16 * seen + batch * ((16 * 32 if chosen.order == "lambda_first" else 4 * seen) + masked * 16 * seen)
    assert rows == 1 or 4 * rows * width * numbers <= memory


@pytest.mark.parametrize("order", DENSE_ORDERS)
def test_what_the_plan_counts_is_what_is_made(order):
    grids = Grids((12, 5), (12, 5))
    for rows, scope in ((None, 5), (5, 5), (2, 5), (4, None)):
        problem = Problem(grids, Depths(4, 3, 2, 2), scope and (scope, scope), batch=3)
        sides = (scope, scope) if scope else (23, 9)
        chosen = Plan(order, rows)
        numbers = math.prod(shape_of_embeddings((*sides, 3, 2), grids, chosen)[1:])
        queries, m = (rows or 12) * 5, numbers // (3 * (rows or 12) * 5)
        numbers += 3 * queries * (4 * m if order == "query_first" else 3 * 2)
        assert problem.memory(chosen) == 4 * numbers


def test_more_memory_never_means_smaller_chunks():
    devices = [dataclasses.replace(ON_AVX512, memory=2**power) for power in range(20, 36)]
    plans = [plan_of_paper((64, 64), value_dim=16, scope_size=None, device=device) for device in devices]
    rows = [chosen.query_rows or 64 for chosen in plans]
    assert rows == sorted(rows)
    assert rows[0] == 1


@pytest.mark.parametrize(
    ("grid", "arguments", "message"),
    [
        ((None, None), {"scope_size": None}, "local scope"),
        ((None, 8), {"mask": "shared"}, "no mask"),
        ((None, None), {"implementation": "query_first"}, "'auto' or 'convolution'"),
        ((8, 8), {"implementation": "convolution", "mask": "shared"}, "neither a mask"),
    ],
)
def test_what_cannot_be_planned_is_refused(grid, arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_of_paper(grid, value_dim=16, **arguments)


# Batch, grid, scope, and whether there is a mask.
SWEEP = (
    (4, (28, 28), None, True),
    (2, (64, 48), None, False),
    (4, (61, 61), (23, 23), False),
    (4, (64, 64), None, False),
)


def test_a_call_takes_a_few_chunks_of_memory_whatever_the_shape(run_python):
    """The process forgets its peak before the call for each shape; what a call takes is above what there is then."""
    printed = run_python(
        f"""
import ctypes
import numpy as np, tensorflow as tf
from benchmarks.process_memory import PEAK, RESIDENT, forget_peak, memory
from lambda_keras.layers import LambdaLayer

for batch, grid, scope, is_masked in {SWEEP}:
    layer = LambdaLayer(64, num_heads=4, key_dim=16, scope_size=scope)
    inputs = tf.zeros((batch, *grid, 64))
    mask = np.tri(grid[0] * grid[1], dtype=bool) if is_masked else None
    infer = tf.function(lambda inputs: layer(inputs, mask=mask))
    infer.get_concrete_function(inputs)
    ctypes.CDLL(None).malloc_trim(0)
    forget_peak()
    before = memory(RESIDENT)
    infer(inputs)
    print(memory(PEAK) - before)
""",
        # The more there are, the more chunks are made at the same time.
        TF_NUM_INTEROP_THREADS="2",
    )
    budget = current_device().memory
    for (batch, grid, scope, is_masked), taken in zip(SWEEP, map(int, printed.split()), strict=True):
        problem = Problem(Grids(grid, grid), Depths(4, 16, 16), scope, batch, "shared" if is_masked else None)
        # A chunk has the budget; TensorFlow makes some at once. All at once would take this many bytes.
        all_at_once = problem.memory(Plan("query_first"))
        assert taken < min(4 * budget, all_at_once / 2), f"{batch}, {grid}, {scope}: {taken / 2**20:.0f} MiB"
