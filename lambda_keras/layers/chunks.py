"""What a dense plan multiplies: the embeddings E, chunks of query rows, and the band of context that each chunk sees.

Under a local scope that does not reach all rows of the context, each chunk of query rows sees a band of rows, and all
chunks have the same embeddings of queries and band: E is small then, however large the map is.
"""

import math
import typing
from collections.abc import Callable

import keras
from keras import ops

from lambda_keras.layers.contraction_plan import (
    UNROLLED_CHUNKS,
    UNROLLED_CHUNKS_IN_INFERENCE,
    Plan,
    number_of_chunks,
    reach_of_band,
)
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.relative_position import expand_columns, expand_rows, fit_table


class Operands(typing.NamedTuple):
    """The tensors that a contraction takes; `None` for those that a layer or a call does not have.

    Attributes:
        queries: `[b, n, h, k]`.
        values: `[b, m, u, v]`.
        keys: Keys before their normalisation, `[b, m, u, k]`; `None` for positions only.
        table: R, `[*scope, k, u]`; `None` for content only, or where there are `embeddings`.
        embeddings: E, which `expand` made of the table for these grids and this dense plan, once for many calls.
            Without a mask only.
        mask: Boolean `[b, n, m]`, or `[1, n, m]` for all examples, true where a query sees a position.
    """

    queries: typing.Any
    values: typing.Any
    keys: typing.Any = None
    table: typing.Any = None
    embeddings: typing.Any = None
    mask: typing.Any = None


class _Chunk(typing.NamedTuple):
    """The operands of one chunk of query rows, whose embeddings may be yet to expand from `columns`."""

    queries: typing.Any = None
    values: typing.Any = None
    keys: typing.Any = None
    embeddings: typing.Any = None
    mask: typing.Any = None
    columns: typing.Any = None
    first_row: typing.Any = None


def expand(table: typing.Any, grids: Grids, plan: Plan, gathers: bool = False) -> typing.Any:
    """The embeddings E in the form that a dense plan multiplies, for inputs without a mask.

    Args:
        table: Relative embeddings R, `[*scope, k, u]`.
        grids: The `Grids` of queries and context.
        plan: A `Plan` of a dense order.
        gathers: Whether no gradient is taken, which allows a faster way.

    Returns:
        `[chunks, n of a chunk, m·u, k]`, as `expand_rows` orders them; of one chunk and its band where the chunks share
        them.
    """
    shift, rows, height = None, plan.query_rows or grids.queries[0], grids.queries[0]
    reach = reach_of_band(table.shape[0], grids, plan)
    if reach is not None:
        shift, height = (reach, *(0 for _ in grids.queries[1:])), rows
        grids = _one_chunk(grids, plan, reach)
    columns = expand_columns(fit_table(table, grids, shift), grids)
    first_rows = range(height - 1, -1, -rows)
    return ops.stack([expand_rows(columns, first, rows, grids.context[0], gathers) for first in first_rows])


def shape_of_embeddings(table_shape: tuple[int, ...], grids: Grids, plan: Plan) -> tuple[int, int, int, int]:
    """The shape of what `expand` returns, without making it."""
    chunks, rows = number_of_chunks(grids, plan), plan.query_rows or grids.queries[0]
    reach = reach_of_band(table_shape[0], grids, plan)
    if reach is not None:
        chunks, grids = 1, _one_chunk(grids, plan, reach)
    *_, key_dim, intra_depth = table_shape
    return chunks, rows * math.prod(grids.queries[1:]), grids.positions[1] * intra_depth, key_dim


def _one_chunk(grids, plan, reach):
    """The grids of a chunk of query rows and of the band of context rows that it sees."""
    return Grids((plan.query_rows, *grids.queries[1:]), (plan.query_rows + 2 * reach, *grids.context[1:]))


def contract_in_chunks(
    contract_rows: Callable[[Operands], typing.Any],
    operands: Operands,
    grids: Grids,
    plan: Plan,
    training: bool | None = None,
) -> typing.Any:
    """Contracts a few rows of queries at a time; gradients of many chunks compute them again, keeping none.

    Under a global scope each chunk takes its own embeddings and all of the context. Under a local one all chunks
    have the same embeddings, and each takes the band of context rows that its scope reaches.

    Args:
        contract_rows: Takes the `Operands` of a chunk, with embeddings in the place of the table, and returns
            `[b, n of the chunk, h, v]`.
        operands: Those of all queries.
        grids: The `Grids` of queries and context.
        plan: A `Plan` of a dense order with `query_rows`.
        training: False in inference alone, where more chunks are written out.

    Returns:
        `[b, n, h, v]`.
    """
    chunks, gathers = number_of_chunks(grids, plan), training is False
    own, shared = _cut(operands, grids, plan, gathers)
    given = [tensor is not None for tensor in (*own, *shared)]
    own_tensors, shared_tensors = _present(own), _present(shared)

    def output(*tensors):
        remaining = iter(tensors)
        fields = [next(remaining) if is_given else None for is_given in given]
        # A field belongs to the chunk or is shared, never both.
        pairs = zip(fields[: len(own)], fields[len(own) :], strict=True)
        chunk = _Chunk(*(theirs if ours is None else ours for ours, theirs in pairs))
        return contract_rows(_with_embeddings(chunk, grids, plan, gathers))

    n, h = operands.queries.shape[1:3]
    if chunks <= (UNROLLED_CHUNKS_IN_INFERENCE if gathers else UNROLLED_CHUNKS):
        pieces = zip(*(_unstack(tensor, chunks, gathers) for tensor in own_tensors), strict=True)
        outputs = ops.concatenate([output(*piece, *shared_tensors) for piece in pieces], axis=1)
    else:
        # Recomputed gradients do not reach what a function closes over, so all tensors are arguments.
        recomputed = keras.remat(output)
        outputs = ops.moveaxis(ops.map(lambda chunk: recomputed(*chunk, *shared_tensors), own_tensors), 0, 1)
        outputs = ops.reshape(outputs, (-1, outputs.shape[1] * outputs.shape[2], h, outputs.shape[-1]))
    return outputs if outputs.shape[1] == n else outputs[:, :n]


def _cut(operands, grids, plan, gathers):
    """What each chunk has of its own, on a leading axis of chunks, and what all chunks share."""
    rows, (height, *row) = plan.query_rows, grids.queries
    chunks, row = number_of_chunks(grids, plan), math.prod(row)
    missing = (chunks * rows - height) * row
    queries, mask = operands.queries, operands.mask
    if missing:
        queries = ops.pad(queries, [(0, 0), (0, missing), (0, 0), (0, 0)])
        mask = None if mask is None else ops.pad(mask, [(0, 0), (0, missing), (0, 0)])
    queries = ops.reshape(queries, (-1, chunks, rows * row, *queries.shape[2:]))
    own = _Chunk(queries=ops.moveaxis(queries, 1, 0))
    shared = _Chunk(values=operands.values, keys=operands.keys)
    if mask is not None:
        batch = 1 if mask.shape[0] == 1 else -1
        mask = ops.reshape(mask, (batch, chunks, rows * row, mask.shape[-1]))
        own = own._replace(mask=ops.moveaxis(mask, 1, 0))
    table, embeddings = operands.table, operands.embeddings
    if table is not None:
        if mask is None and reach_of_band(table.shape[0], grids, plan) is not None:
            embeddings = expand(table, grids, plan, gathers)
        else:
            own = own._replace(first_row=ops.arange(height - 1, -1, -rows, dtype="int32"))
            shared = shared._replace(columns=expand_columns(fit_table(table, grids), grids))
    if embeddings is None:
        return own, shared
    if embeddings.shape[0] == chunks:
        return own._replace(embeddings=embeddings), shared
    band = height * embeddings.shape[2] // math.prod(operands.values.shape[1:3])
    bands = _bands(operands.values, height, rows, band)
    return own._replace(values=bands), shared._replace(values=None, embeddings=ops.squeeze(embeddings, 0))


def _present(operands):
    return tuple(tensor for tensor in operands if tensor is not None)


def _unstack(tensor, count, in_inference):
    """The tensors along the first axis. TFLite prefers slices, whose gradients fill a tensor of zeros for each."""
    return [tensor[i] for i in range(count)] if in_inference else ops.unstack(tensor, count)


def _with_embeddings(chunk, grids, plan, gathers):
    """The operands of a chunk, its embeddings expanded."""
    embeddings = chunk.embeddings
    if chunk.columns is not None:
        embeddings = expand_rows(chunk.columns, chunk.first_row, plan.query_rows, grids.context[0], gathers)
    return Operands(chunk.queries, chunk.values, chunk.keys, embeddings=embeddings, mask=chunk.mask)


def _bands(values, height, rows, band):
    """For each chunk of rows the values of all rows it reaches, zeros beyond the edges: `[chunks, b, band, u, v]`."""
    m, u, v = values.shape[1:]
    row, reach, first_rows = m // height, (band - rows) // 2, range(0, height, rows)
    values = ops.reshape(values, (-1, height, row, u, v))
    values = ops.pad(values, [(0, 0), (reach, first_rows[-1] + band - reach - height), (0, 0), (0, 0), (0, 0)])
    index = [list(range(first, first + band)) for first in first_rows]
    bands = ops.moveaxis(ops.take(values, index, axis=1), 1, 0)
    return ops.reshape(bands, (len(first_rows), -1, band * row, u, v))
