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

import keras
from keras import ops

from lambda_keras.layers.chunks import expand, reach_of_band
from lambda_keras.layers.contraction_plan import (
    CONVOLUTIONS,
    DENSE_ORDERS,
    ON_ACCELERATORS,
    ORDERS,
    Plan,
    plan,
)
from lambda_keras.layers.relative_position import expand_columns, expand_rows, fit_table

__all__ = [
    "CONVOLUTIONS",
    "DENSE_ORDERS",
    "ON_ACCELERATORS",
    "ORDERS",
    "Plan",
    "content",
    "contract",
    "convolution",
    "depthwise_convolution",
    "lambda_first",
    "masked_content",
    "normalize_keys",
    "plan",
    "query_first",
]

# So many chunks are written out one after the other, a loop serves more. Where gradients may be taken, a step of 64
# chunks written out took two and a half times the memory of the loop. Inference keeps nothing of a chunk, and exported
# graphs pay for a loop: TFLite takes it with a fixed batch only, and not in int8.
UNROLLED_CHUNKS = 8
UNROLLED_CHUNKS_IN_INFERENCE = 64


def normalize_keys(keys, normalization, mask=None):
    """Normalises keys over the context positions, in float32 at least.

    Args:
        keys: `[b, m, u, k]`.
        normalization: `"softmax"`, `"l2"` or `"none"`.
        mask: `None`, or `[n, m]`, true where a query sees a position. Each query then has keys of its own,
            normalised within its context; a query that sees nothing gets zeros.

    Returns:
        Keys in float32 (float64 stays), `[b, m, u, k]`, or with a mask `[b, n, m, u, k]`.
    """
    keys, axis = _at_least_float32(keys), 1
    if mask is not None:
        keys, mask, axis = keys[:, None], mask[None, :, :, None, None], 2
        # A finite floor: a query that sees nothing must not become 0 / 0.
        keys = ops.where(mask, keys, -1e30 if normalization == "softmax" else 0.0)
    if normalization == "softmax":
        keys = ops.exp(keys - ops.stop_gradient(ops.max(keys, axis=axis, keepdims=True)))
        keys = keys if mask is None else ops.where(mask, keys, 0.0)
        return keys / ops.maximum(ops.sum(keys, axis=axis, keepdims=True), 1e-30)
    if normalization == "l2":
        return keys * ops.rsqrt(ops.maximum(ops.sum(ops.square(keys), axis=axis, keepdims=True), 1e-12))
    return keys


def _at_least_float32(tensor):
    return ops.cast(tensor, keras.backend.result_type(tensor.dtype, "float32"))


def content(queries, keys, values):
    """Applies the content lambda, which all queries of an example share. Its sum is float32.

    Args:
        queries: `[b, n, h, k]`.
        keys: Normalised keys `[b, m, u, k]`, float32.
        values: `[b, m, u, v]`.

    Returns:
        `[b, n, h, v]` in the queries' dtype.
    """
    h, k, v = *queries.shape[2:], values.shape[-1]
    # The context may be of unknown size, so the batch axis, too, is not guessed by reshape.
    keys = ops.reshape(keys, (ops.shape(keys)[0], -1, k))
    values = ops.reshape(_at_least_float32(values), (ops.shape(values)[0], -1, v))
    content_lambda = ops.cast(ops.matmul(ops.transpose(keys, (0, 2, 1)), values), queries.dtype)
    outputs = ops.matmul(ops.reshape(queries, (ops.shape(queries)[0], -1, k)), content_lambda)
    return ops.reshape(outputs, (ops.shape(queries)[0], -1, h, v))


def masked_content(queries, keys, values):
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


def lambda_first(queries, values, embeddings):
    """The paper's order: make every query's position lambda, then apply it.

    Multiply-adds: b·n·k·v·(m·u + h). Intermediate: b·n·k·v.

    Args:
        queries: `[b, n, h, k]`.
        values: `[b, m, u, v]`.
        embeddings: E, `[n, k, m·u]`.

    Returns:
        `[b, n, h, v]`.
    """
    values = ops.reshape(values, (-1, embeddings.shape[-1], values.shape[-1]))
    position_lambdas = ops.einsum("nkm,bmv->bnkv", embeddings, values)
    return ops.matmul(queries, position_lambdas)


def query_first(queries, values, embeddings):
    """Scores each pair of positions first, then sums the values: less work when there are few heads.

    Multiply-adds: b·h·n·m·u·(k + v). Intermediate: b·h·n·m·u. Arguments and result as in `lambda_first`.
    """
    (n, h, k), v, m = queries.shape[1:], values.shape[-1], embeddings.shape[-1]
    # Positions lead, so that E is used as it lies in memory, and examples share each of its matrices.
    queries = ops.reshape(ops.transpose(queries, (1, 0, 2, 3)), (n, -1, k))
    scores = ops.reshape(ops.matmul(queries, embeddings), (n, -1, h, m))
    scores = ops.reshape(ops.transpose(scores, (1, 0, 2, 3)), (-1, n * h, m))
    outputs = ops.matmul(scores, ops.reshape(values, (-1, m, v)))
    return ops.reshape(outputs, (-1, n, h, v))


def convolution(queries, values, table, grid):
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
    k, u, v = *table.shape[-2:], values.shape[-1]
    rank = len(grid)
    values = ops.reshape(ops.transpose(values, (0, 3, 1, 2)), (-1, *grid, u))
    kernel = ops.transpose(table, (*range(rank), rank + 1, rank))
    position_lambdas = ops.conv(values, kernel, padding="same", data_format="channels_last")
    position_lambdas = ops.reshape(position_lambdas, (-1, v, math.prod(grid), k))
    return ops.einsum("bnhk,bvnk->bnhv", queries, position_lambdas)


def depthwise_convolution(queries, values, table, grid):
    """The lambda convolution as a depthwise one whose channel multiplier is the key depth; 1-D and 2-D grids.

    Multiply-adds, intermediate, arguments and result as in `convolution`.
    """
    k, u, v = *table.shape[-2:], values.shape[-1]
    rank = len(grid)
    values = ops.reshape(values, (-1, *grid, u * v))
    kernel = ops.repeat(ops.transpose(table, (*range(rank), rank + 1, rank)), v, axis=rank)
    position_lambdas = ops.depthwise_conv(values, kernel, padding="same", data_format="channels_last")
    position_lambdas = ops.sum(ops.reshape(position_lambdas, (-1, math.prod(grid), u, v, k)), axis=2)
    return ops.einsum("bnhk,bnvk->bnhv", queries, position_lambdas)


_FUNCTIONS = {
    "lambda_first": lambda_first,
    "query_first": query_first,
    "convolution": convolution,
    "depthwise_convolution": depthwise_convolution,
}


def contract(
    queries,
    keys,
    values,
    table,
    query_grid,
    context_grid,
    plan,
    normalization="softmax",
    mask=None,
    embeddings=None,
    training=None,
):
    """The output of a lambda layer, in the order and the chunks of a plan.

    Args:
        queries: `[b, n, h, k]`.
        keys: Keys before their normalisation, `[b, m, u, k]`, or `None` for positions only.
        values: `[b, m, u, v]`.
        table: R, `[*scope, k, u]`, or `None` for content only, or where `embeddings` are given.
        query_grid: Sides of the grid of queries; a convolution takes tensors where they are unknown.
        context_grid: Sides of the grid of context positions.
        plan: A `Plan`.
        normalization: Of the keys: `"softmax"`, `"l2"` or `"none"`.
        mask: `None`, or boolean `[n, m]`, true where a query sees a position.
        embeddings: E, which `embeddings.expand` made of the table for these grids and this dense plan, once for many
            calls. Without a mask only.
        training: False in inference alone, where more chunks are written out.

    Returns:
        `[b, n, h, v]`.
    """
    parts = []
    if keys is not None and mask is None:
        parts.append(content(queries, normalize_keys(keys, normalization), values))
    if table is not None and plan.order in CONVOLUTIONS:
        parts.append(_FUNCTIONS[plan.order](queries, values, table, query_grid))
    elif table is not None or embeddings is not None or mask is not None:
        tensors = {"queries": queries, "values": values, "table": table, "embeddings": embeddings, "mask": mask}
        if mask is not None:
            tensors["keys"] = keys
        tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        if plan.query_rows is None:
            parts.append(_dense(tensors, query_grid, context_grid, plan, normalization))
        else:
            unrolled = UNROLLED_CHUNKS_IN_INFERENCE if training is False else UNROLLED_CHUNKS
            parts.append(_dense_in_chunks(tensors, query_grid, context_grid, plan, normalization, unrolled))
    return sum(parts[1:], parts[0])


def _dense(tensors, query_grid, context_grid, plan, normalization):
    """The position part, and under a mask the content part, for all queries at once."""
    if "table" in tensors:
        tensors["embeddings"] = expand(tensors.pop("table"), query_grid, context_grid, plan)
    return _dense_rows(tensors, plan, normalization)


def _dense_in_chunks(tensors, query_grid, context_grid, plan, normalization, unrolled):
    """`_dense` over a few rows of queries at a time; gradients of many chunks compute them again, keeping none.

    More than `unrolled` chunks are a loop.

    Under a global scope each chunk takes its own embeddings and all of the context. Under a local one all chunks
    have the same embeddings, and each takes the band of context rows that its scope reaches.
    """
    rows, height, context_height = plan.query_rows, query_grid[0], context_grid[0]
    chunks = height // rows
    n, h, k = tensors["queries"].shape[1:]
    queries = ops.reshape(tensors.pop("queries"), (-1, chunks, n // chunks, h, k))
    chunked = {"queries": ops.moveaxis(queries, 1, 0)}
    if "mask" in tensors:
        chunked["mask"] = ops.reshape(tensors.pop("mask"), (chunks, n // chunks, -1))
    if "table" in tensors:
        table = tensors.pop("table")
        if "mask" not in chunked and reach_of_band(table.shape[0], query_grid, context_grid, plan) is not None:
            tensors["embeddings"] = expand(table, query_grid, context_grid, plan)
        else:
            tensors["columns"] = expand_columns(fit_table(table, query_grid, context_grid), query_grid, context_grid)
            chunked["first_row"] = ops.arange(height - 1, -1, -rows, dtype="int32")
    if "embeddings" in tensors and tensors["embeddings"].shape[0] == n:
        embeddings = tensors.pop("embeddings")
        chunked["embeddings"] = ops.reshape(embeddings, (chunks, n // chunks, *embeddings.shape[1:]))
    elif "embeddings" in tensors:
        values = tensors.pop("values")
        band = height * tensors["embeddings"].shape[-1] // math.prod(values.shape[1:3])
        chunked["values"] = _bands(values, height, rows, (band - rows) // 2)

    def chunk_output(*arguments):
        arguments = dict(zip([*chunked, *tensors], arguments, strict=True))
        if "columns" in arguments:
            arguments["embeddings"] = expand_rows(arguments["columns"], arguments["first_row"], rows, context_height)
        return _dense_rows(arguments, plan, normalization)

    if chunks <= unrolled:
        slices = [[tensor[chunk] for tensor in chunked.values()] for chunk in range(chunks)]
        outputs = ops.stack([chunk_output(*chunk, *tensors.values()) for chunk in slices])
    else:
        # Recomputed gradients do not reach what a function closes over, hence all tensors as arguments.
        recomputed = keras.remat(chunk_output)
        outputs = ops.map(lambda chunk: recomputed(*chunk, *tensors.values()), tuple(chunked.values()))
    return ops.reshape(ops.moveaxis(outputs, 0, 1), (-1, n, h, outputs.shape[-1]))


def _dense_rows(tensors, plan, normalization):
    """The output for the queries given, whose embeddings are made."""
    queries, values, mask = tensors["queries"], tensors["values"], tensors.get("mask")
    parts = []
    if "keys" in tensors:
        keys = normalize_keys(tensors["keys"], normalization, mask)
        parts.append(masked_content(queries, keys, values))
    if "embeddings" in tensors:
        embeddings = tensors["embeddings"]
        if mask is not None:
            seen = ops.repeat(mask, values.shape[2], axis=1)
            embeddings = embeddings * ops.cast(seen, embeddings.dtype)[:, None, :]
        parts.append(_FUNCTIONS[plan.order](queries, values, embeddings))
    return sum(parts[1:], parts[0])


def _bands(values, height, rows, reach):
    """For each chunk of rows the values of all rows it reaches, zeros beyond the edge: `[chunks, b, band, u, v]`."""
    m, u, v = values.shape[1:]
    row, band = m // height, rows + 2 * reach
    values = ops.reshape(values, (-1, height, row, u, v))
    values = ops.pad(values, [(0, 0), (reach, reach), (0, 0), (0, 0), (0, 0)])
    index = [list(range(first, first + band)) for first in range(0, height, rows)]
    bands = ops.moveaxis(ops.take(values, index, axis=1), 1, 0)
    return ops.reshape(bands, (height // rows, -1, band * row, u, v))
