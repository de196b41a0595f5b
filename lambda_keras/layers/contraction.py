"""The ways to contract queries, context and positions, in the order that `contraction_plan` picks.

Every function here is pure, works on `keras.ops` and returns the same numbers as its neighbours; they differ in
time and memory only. Letters in shapes: b batch, n query positions, m context positions, h heads (queries that
share a lambda), k key depth, v value depth, u intra-depth.

    content lambda    C[b,k,v]   = sum over m, u of keys[b,m,u,k] values[b,m,u,v]
    position lambda   P[b,n,k,v] = sum over m, u of E[n,k,m,u]    values[b,m,u,v]
    output            y[b,n,h,v] = sum over k of queries[b,n,h,k] (C[b,k,v] + P[b,n,k,v])

(LambdaNetworks, section 3, https://arxiv.org/abs/2102.08602.) The content part is cheap and kept apart; the orders
are about the position part.
"""

import math
import typing

import keras
from keras import ops

from lambda_keras.layers.chunks import Operands, contract_in_chunks, expand
from lambda_keras.layers.contraction_plan import CONVOLUTIONS, Plan
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.relative_position import expand_pairs

# Pairs of a query and a context position up to which inference gathers the embedding of each, those of a 7×7 map: there
# the number of operations decides. TFLite's converter puts what is gathered into the file, which is little for so few.
FEW_PAIRS = 50**2
# A key whose exponential is zero beside any other. It is finite: what sees nothing must not become 0 / 0.
UNSEEN_KEY = -1e30


def normalize_keys(keys: typing.Any, normalization: str, mask: typing.Any = None) -> typing.Any:
    """Normalises keys over the context positions, in float32 at least.

    Args:
        keys: `[b, m, u, k]`.
        normalization: `"softmax"`, `"l2"` or `"none"`.
        mask: `None`, or `[b or 1, n, m]`, true where a query sees a position. Each query then has keys of its own,
            normalised within its context; a query that sees nothing gets zeros.

    Returns:
        Keys in float32 (float64 stays), `[b, m, u, k]`, or with a mask `[b, n, m, u, k]`.
    """
    keys, axis = _at_least_float32(keys), 1
    if mask is not None:
        keys, mask, axis = keys[:, None], mask[:, :, :, None, None], 2
        keys = ops.where(mask, keys, UNSEEN_KEY if normalization == "softmax" else 0.0)
    if normalization == "softmax":
        keys = ops.exp(keys - ops.stop_gradient(ops.max(keys, axis=axis, keepdims=True)))
        keys = keys if mask is None else ops.where(mask, keys, 0.0)
        return keys / ops.maximum(ops.sum(keys, axis=axis, keepdims=True), 1e-30)
    if normalization == "l2":
        return keys * ops.rsqrt(ops.maximum(ops.sum(ops.square(keys), axis=axis, keepdims=True), 1e-12))
    return keys


def _at_least_float32(tensor):
    return ops.cast(tensor, keras.backend.result_type(tensor.dtype, "float32"))


def content(queries: typing.Any, keys: typing.Any, values: typing.Any) -> typing.Any:
    """Applies the content lambda, which all queries of an example share. Its sum is float32.

    Args:
        queries: `[b, n, h, k]`.
        keys: Normalised keys `[b, m, u, k]`, float32.
        values: `[b, m, u, v]`.

    Returns:
        `[b, n, h, v]` in the queries' dtype.
    """
    (h, k), v = queries.shape[2:], values.shape[-1]
    # The context may be of unknown size, so the batch axis, too, is not guessed by reshape.
    keys = ops.reshape(keys, (ops.shape(keys)[0], -1, k))
    values = ops.reshape(_at_least_float32(values), (ops.shape(values)[0], -1, v))
    content_lambda = ops.cast(ops.matmul(ops.transpose(keys, (0, 2, 1)), values), queries.dtype)
    outputs = ops.matmul(ops.reshape(queries, (ops.shape(queries)[0], -1, k)), content_lambda)
    return ops.reshape(outputs, (ops.shape(queries)[0], -1, h, v))


def masked_content(queries: typing.Any, keys: typing.Any, values: typing.Any) -> typing.Any:
    """Applies content lambdas of which every query has its own, since a mask gives it its own context.

    Args:
        queries: `[b, n, h, k]`.
        keys: Keys normalised within each query's context `[b, n, m, u, k]`, float32.
        values: `[b, m, u, v]`.

    Returns:
        `[b, n, h, v]` in the queries' dtype.
    """
    (n, h, k), (m, u, v) = queries.shape[1:], values.shape[1:]
    keys = ops.reshape(keys, (-1, n, m * u, k))
    scores = ops.matmul(_at_least_float32(queries), ops.transpose(keys, (0, 1, 3, 2)))
    values = ops.reshape(_at_least_float32(values), (-1, m * u, v))
    outputs = ops.matmul(ops.reshape(scores, (-1, n * h, m * u)), values)
    return ops.cast(ops.reshape(outputs, (-1, n, h, v)), queries.dtype)


def lambda_first(queries: typing.Any, values: typing.Any, embeddings: typing.Any, row: int) -> typing.Any:
    """The paper's order: make every query's position lambda, then apply it.

    Multiply-adds: b·n·k·v·(m·u + h). Intermediate: b·n·k·v.

    Args:
        queries: `[b, n, h, k]`.
        values: `[b, m, u, v]`.
        embeddings: E, `[n, m·u, k]`, the queries column by column.
        row: Positions in a row of queries.

    Returns:
        `[b, n, h, v]`.
    """
    (n, m, k), v = embeddings.shape, values.shape[-1]
    # One product for all queries and examples. A product for each query would have the same values in all of them, and
    # their gradient would be a sum over as many copies.
    embeddings = ops.reshape(ops.transpose(embeddings, (1, 0, 2)), (m, n * k))
    values = ops.reshape(ops.swapaxes(ops.reshape(values, (-1, m, v)), 1, 2), (-1, m))
    position_lambdas = ops.reshape(ops.matmul(values, embeddings), (-1, v, row, n // row, k))
    # Key depth stays last, as it lies in memory.
    position_lambdas = ops.reshape(ops.transpose(position_lambdas, (0, 3, 2, 1, 4)), (-1, n, v, k))
    return ops.swapaxes(ops.matmul(position_lambdas, ops.swapaxes(queries, 2, 3)), 2, 3)


def query_first(
    queries: typing.Any, values: typing.Any, embeddings: typing.Any, row: int, seen: typing.Any = None
) -> typing.Any:
    """Scores each pair of positions first, then sums the values: less work when there are few heads.

    Multiply-adds: b·h·n·m·u·(k + v). Intermediate: b·h·n·m·u.

    Args:
        queries: As in `lambda_first`.
        values: As in `lambda_first`.
        embeddings: As in `lambda_first`.
        row: As in `lambda_first`.
        seen: `None`, or boolean `[b, n, m·u]`, true where a query of an example sees a position.

    Returns:
        `[b, n, h, v]`.
    """
    (n, h), (m, v) = queries.shape[1:3], (embeddings.shape[1], values.shape[-1])
    scores = position_scores(queries, embeddings, row)
    if seen is not None:
        scores = ops.where(seen[:, :, None], scores, 0)
    scores = ops.reshape(scores, (-1, n * h, m))
    return ops.reshape(ops.matmul(scores, ops.reshape(values, (-1, m, v))), (-1, n, h, v))


def position_scores(queries: typing.Any, embeddings: typing.Any, row: int) -> typing.Any:
    """The product of every query with the embedding of each context position.

    Args:
        queries: `[b, n, h, k]`.
        embeddings: E, `[n, m·u, k]`, the queries column by column.
        row: Positions in a row of queries.

    Returns:
        `[b, n, h, m·u]`.
    """
    (h, k), (n, m, _) = queries.shape[2:], embeddings.shape
    # Positions lead, so that E is used as it lies in memory, and examples share each of its matrices.
    queries = ops.transpose(ops.reshape(queries, (-1, n // row, row, h * k)), (2, 1, 0, 3))
    scores = ops.matmul(ops.reshape(queries, (n, -1, k)), ops.transpose(embeddings, (0, 2, 1)))
    scores = ops.transpose(ops.reshape(scores, (row, n // row, -1, h * m)), (2, 1, 0, 3))
    return ops.reshape(scores, (-1, n, h, m))


def convolution(queries: typing.Any, values: typing.Any, table: typing.Any, grid: tuple[typing.Any, ...]) -> typing.Any:
    """The lambda convolution: position lambdas by convolving the values with R, value depth as a batch axis.

    Multiply-adds: b·n·k·v·(r²·u + h). Intermediate: b·n·k·v. The only dense-free order that takes every rank.

    Args:
        queries: `[b, n, h, k]`.
        values: `[b, n, u, v]`.
        table: R, `[*scope, k, u]`.
        grid: Sides of the grid that queries and values share; tensors or -1 where they are unknown.

    Returns:
        `[b, n, h, v]`.
    """
    (k, u), v = table.shape[-2:], values.shape[-1]
    rank = len(grid)
    values = ops.reshape(ops.transpose(values, (0, 3, 1, 2)), (-1, *grid, u))
    kernel = ops.transpose(table, (*range(rank), rank + 1, rank))
    position_lambdas = ops.conv(values, kernel, padding="same", data_format="channels_last")
    position_lambdas = ops.reshape(position_lambdas, (-1, v, math.prod(grid), k))
    return ops.matmul(queries, ops.transpose(position_lambdas, (0, 2, 3, 1)))


def depthwise_convolution(
    queries: typing.Any, values: typing.Any, table: typing.Any, grid: tuple[typing.Any, ...]
) -> typing.Any:
    """The lambda convolution as a depthwise one whose channel multiplier is the key depth; 1-D and 2-D grids.

    Multiply-adds, intermediate, arguments and result as in `convolution`.
    """
    (k, u), v = table.shape[-2:], values.shape[-1]
    rank = len(grid)
    values = ops.reshape(values, (-1, *grid, u * v))
    kernel = ops.repeat(ops.transpose(table, (*range(rank), rank + 1, rank)), v, axis=rank)
    position_lambdas = ops.depthwise_conv(values, kernel, padding="same", data_format="channels_last")
    position_lambdas = ops.sum(ops.reshape(position_lambdas, (-1, math.prod(grid), u, v, k)), axis=2)
    return ops.matmul(queries, ops.swapaxes(position_lambdas, -1, -2))


_FUNCTIONS: dict[str, typing.Callable[..., typing.Any]] = {
    "lambda_first": lambda_first,
    "query_first": query_first,
    "convolution": convolution,
    "depthwise_convolution": depthwise_convolution,
}


def contract(
    operands: Operands, grids: Grids, plan: Plan | None, normalization: str = "softmax", training: bool | None = None
) -> typing.Any:
    """The output of a lambda layer, in the order and the chunks of a plan.

    Args:
        operands: The `Operands` of the layer; keys, or a table or embeddings, or both.
        grids: The `Grids` of queries and context; a convolution takes tensors where sides are unknown.
        plan: A `Plan`; `None` for content without a mask, which has one order.
        normalization: Of the keys: `"softmax"`, `"l2"` or `"none"`.
        training: False in inference alone, where more chunks are written out.

    Returns:
        `[b, n, h, v]`.
    """
    queries, values, keys, table, embeddings, mask = operands
    parts = []
    if keys is not None and mask is None:
        parts.append(content(queries, normalize_keys(keys, normalization), values))
        operands = operands._replace(keys=None)
    if plan is not None and plan.order in CONVOLUTIONS and table is not None:
        parts.append(_FUNCTIONS[plan.order](queries, values, table, grids.queries))
    elif plan is not None and (table is not None or embeddings is not None or mask is not None):
        parts.append(_contract_dense(operands, grids, plan, normalization, training))
    return sum(parts[1:], parts[0])


def _contract_dense(operands, grids, plan, normalization, training):
    """The position part, and under a mask the content part."""
    row = math.prod(grids.queries[1:])

    def contract_rows(rows):
        return _contract_rows(rows, plan, normalization, row)

    if plan.query_rows is not None:
        return contract_in_chunks(contract_rows, operands, grids, plan, training)
    embeddings = operands.embeddings
    if operands.table is not None:
        if training is False and math.prod(grids.positions) <= FEW_PAIRS:
            operands = operands._replace(table=None, embeddings=expand_pairs(operands.table, grids))
            # Queries of a single column are in the order that these embeddings have, row by row.
            return _contract_rows(operands, plan, normalization, row=1)
        embeddings = expand(operands.table, grids, plan, gathers=training is False)
    if embeddings is not None:
        operands = operands._replace(table=None, embeddings=ops.squeeze(embeddings, 0))
    return contract_rows(operands)


def _contract_rows(operands, plan, normalization, row):
    """The output for some rows of queries, whose embeddings are made."""
    queries, values, keys, _, embeddings, mask = operands
    parts = []
    if keys is not None:
        parts.append(masked_content(queries, normalize_keys(keys, normalization, mask), values))
    if embeddings is not None:
        seen = None if mask is None else ops.repeat(mask, values.shape[2], axis=2)
        if seen is None:
            parts.append(_FUNCTIONS[plan.order](queries, values, embeddings, row))
        elif mask.shape[0] == 1:
            # Column by column, as the embeddings are.
            seen = ops.swapaxes(ops.reshape(seen, (-1, row, embeddings.shape[1])), 0, 1)
            seen = ops.reshape(seen, (-1, embeddings.shape[1], 1))
            embeddings = embeddings * ops.cast(seen, embeddings.dtype)
            parts.append(_FUNCTIONS[plan.order](queries, values, embeddings, row))
        else:
            # Examples that see different positions share the embeddings, but not their sums.
            parts.append(query_first(queries, values, embeddings, row, seen))
    return sum(parts[1:], parts[0])
