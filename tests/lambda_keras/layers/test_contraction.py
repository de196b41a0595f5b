"""All orders of contraction agree, in value and gradient; the plan reads like its table."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_keras.layers.chunks import Operands
from lambda_keras.layers.contraction import contract
from lambda_keras.layers.contraction_plan import DENSE_ORDERS, ON_ACCELERATORS, ON_CPU, Budget, Depths, Plan, plan
from lambda_keras.layers.grids import Grids

GRIDS = st.one_of(
    st.tuples(st.integers(1, 9)),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)


@st.composite
def problems(draw):
    """Random queries, keys, values, table and mask of small random shapes."""
    grid = draw(GRIDS)
    context_grid = draw(st.one_of(st.just(grid), st.tuples(*(st.integers(1, 5) for _ in grid))))
    b, h, k, v, u = (draw(st.integers(1, 3)) for _ in range(5))
    scope = [draw(st.sampled_from([1, 3, 5])) for _ in grid]
    if draw(st.booleans()):
        scope = [2 * max(sides) - 1 for sides in zip(grid, context_grid, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    n, m = math.prod(grid), math.prod(context_grid)
    tensors = [
        tf.constant(rng.normal(size=shape)) for shape in ((b, n, h, k), (b, m, u, k), (b, m, u, v), (*scope, k, u))
    ]
    mask = tf.constant(rng.random((n, m)) < 0.7) if draw(st.booleans()) else None
    return Grids(grid, context_grid), tensors, mask


def plans_for(grids, mask):
    height = grids.queries[0]
    for order in DENSE_ORDERS:
        yield Plan(order)
        # Chunks that do not divide the height, too.
        yield from (Plan(order, rows) for rows in sorted({1, min(2, height), height // 2 + 1, height}))
    if mask is None and grids.queries == grids.context:
        yield Plan("convolution")
        if len(grids.queries) < 3:
            yield Plan("depthwise_convolution")


@settings(max_examples=40, deadline=None)
@given(problems())
def test_all_orders_agree_forward_and_backward(problem):
    grids, tensors, mask = problem
    queries, keys, values, table = tensors
    operands = Operands(queries, values, keys, table, mask=mask)
    results = []
    for chosen in plans_for(grids, mask):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = contract(operands, grids, chosen)
            loss = tf.reduce_sum(tf.sin(y))
        results.append((chosen, [y, *tape.gradient(loss, tensors)]))
    _, expected = results[0]
    for chosen, got in results[1:]:
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8, err_msg=str(chosen))


def plan_of_paper(grid, value_dim, num_heads=4, scope_size=(23, 23), **arguments):
    return plan(Grids(grid, grid), Depths(num_heads, 16, value_dim), scope_size=scope_size, **arguments)


@pytest.mark.parametrize(
    ("grid", "arguments", "expected"),
    [
        # c4 and c5 of a LambdaResNet at 224: the queries first, a few rows at a time.
        ((14, 14), {"value_dim": 64}, Plan("query_first", 2)),
        ((7, 7), {"value_dim": 128}, Plan("query_first")),
        ((14, 14), {"value_dim": 64, "scope_size": None}, Plan("query_first", 2)),
        # More memory than the budget: fewer rows. An accelerator: as many as fit.
        ((28, 28), {"value_dim": 64, "scope_size": None}, Plan("query_first", 2)),
        ((28, 28), {"value_dim": 64, "scope_size": None, "batch": 64}, Plan("query_first", 1)),
        ((28, 28), {"value_dim": 64, "scope_size": None, "budget": ON_ACCELERATORS}, Plan("query_first")),
        ((56, 56), {"value_dim": 64, "scope_size": None, "budget": ON_ACCELERATORS}, Plan("query_first", 28)),
        # Many heads for the depths: the paper's order.
        ((14, 14), {"value_dim": 16}, Plan("lambda_first", 2)),
        ((7, 7), {"value_dim": 8, "num_heads": 32}, Plan("lambda_first")),
        # A scope smaller than the map: bands. Far smaller: a convolution.
        ((56, 56), {"value_dim": 64}, Plan("query_first", 1)),
        ((56, 56), {"value_dim": 16, "scope_size": (3, 3)}, Plan("depthwise_convolution")),
        ((56, 56), {"value_dim": 16, "scope_size": (3, 3), "xla_on_cpu": True}, Plan("lambda_first", 1)),
        ((56, 56), {"value_dim": 16, "scope_size": (3, 3), "masked": True}, Plan("lambda_first", 1)),
        ((9, 9, 9), {"value_dim": 16, "scope_size": (1, 1, 1)}, Plan("convolution")),
        # Sequences: many positions.
        ((1024,), {"value_dim": 16, "scope_size": (23,)}, Plan("lambda_first", 64)),
        # What only a convolution can do.
        ((None, None), {"value_dim": 64}, Plan("convolution")),
        # What the layer names.
        ((14, 14), {"value_dim": 64, "implementation": "lambda_first"}, Plan("lambda_first", 2)),
        ((14, 14), {"value_dim": 64, "implementation": "convolution"}, Plan("convolution")),
    ],
)
def test_plan_reads_like_its_table(grid, arguments, expected):
    assert plan_of_paper(grid, **arguments) == expected


@settings(deadline=None)
@given(
    side=st.integers(1, 96),
    batch=st.integers(1, 64),
    masked=st.booleans(),
    order=st.sampled_from(DENSE_ORDERS),
    budget=st.integers(20, 30).map(lambda power: 2**power),
)
def test_chunks_divide_the_grid_and_keep_to_the_budget(side, batch, masked, order, budget):
    n, (h, k, v) = side * side, (4, 16, 32)
    chosen = plan(
        Grids((side, side), (side, side)),
        Depths(h, k, v),
        batch=batch,
        masked=masked,
        implementation=order,
        budget=Budget(budget, ON_CPU.queries),
    )
    assert chosen.order == order
    rows = chosen.query_rows or side
    assert side % rows == 0
    intermediate = batch * (k * v if order == "lambda_first" else h * n) + (batch * n * k if masked else 0)
    assert rows == 1 or 4 * rows * side * (n * k + intermediate) <= budget


def test_a_larger_budget_never_means_smaller_chunks():
    budgets = [Budget(2**power) for power in range(20, 36)]
    plans = [plan_of_paper((64, 64), value_dim=16, scope_size=None, budget=budget) for budget in budgets]
    rows = [chosen.query_rows or 64 for chosen in plans]
    assert rows == sorted(rows)
    assert (rows[0], rows[-1]) == (1, 64)


@pytest.mark.parametrize(
    ("grid", "arguments", "message"),
    [
        ((None, None), {"scope_size": None}, "local scope"),
        ((None, 8), {"masked": True}, "no mask"),
        ((None, None), {"implementation": "query_first"}, "'auto' or 'convolution'"),
        ((8, 8), {"implementation": "convolution", "masked": True}, "neither a mask"),
    ],
)
def test_what_cannot_be_planned_is_refused(grid, arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_of_paper(grid, value_dim=16, **arguments)
