"""All orders of contraction agree, in value and gradient."""

import math

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_keras.layers.chunks import Operands
from lambda_keras.layers.contraction import contract
from lambda_keras.layers.contraction_plan import DENSE_ORDERS, Plan
from lambda_keras.layers.grids import Grids

GRIDS = st.one_of(
    st.tuples(st.integers(1, 9)),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)


@st.composite
def problems(draw):
    """Random queries, keys, values, table and mask of small random shapes, and a number of rows for chunks."""
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
    mask = tf.constant(rng.random((draw(st.sampled_from((1, b))), n, m)) < 0.7) if draw(st.booleans()) else None
    # Chunks that do not divide the height, too.
    return Grids(grid, context_grid), tensors, mask, draw(st.integers(1, grid[0]))


def plans_for(grids, mask, rows):
    for order in DENSE_ORDERS:
        yield Plan(order)
        yield Plan(order, rows)
    if mask is None and grids.queries == grids.context:
        yield Plan("convolution")
        if len(grids.queries) < 3:
            yield Plan("depthwise_convolution")


@settings(max_examples=40, deadline=None)
@given(problems())
def test_all_orders_agree_forward_and_backward(problem):
    grids, tensors, mask, rows = problem
    queries, keys, values, table = tensors
    operands = Operands(queries, values, keys, table, mask=mask)
    results = []
    for chosen in plans_for(grids, mask, rows):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = contract(operands, grids, chosen)
            loss = tf.reduce_sum(tf.sin(y))
        results.append((chosen, [y, *tape.gradient(loss, tensors)]))
        if chosen.query_rows is None:
            # Inference gathers the embeddings of so few pairs.
            inferred = contract(operands, grids, chosen, training=False)
            np.testing.assert_allclose(inferred, y, rtol=1e-8, atol=1e-8, err_msg=str(chosen))
    _, expected = results[0]
    for chosen, got in results[1:]:
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8, err_msg=str(chosen))
