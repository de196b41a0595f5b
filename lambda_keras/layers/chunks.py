"""What a dense plan multiplies: the embeddings E, chunks of query rows, and the band of context that each chunk sees.

Under a local scope that does not reach all rows of the context, each chunk of query rows sees a band of rows, and all
chunks have the same embeddings of queries and band: E is small then, however large the map is.
"""

import math
import typing
from collections.abc import Callable

import keras
from keras import ops

from lambda_keras.layers.contraction_plan import Plan
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.relative_position import expand_columns, expand_rows, fit_table

# Up to this many chunks are written out one after the other, a loop serves more. Where gradients may be taken, a step
# of 64 chunks written out took two and a half times the memory of the loop. Inference keeps nothing of a chunk, and
# exported graphs pay for a loop: TFLite takes it with a fixed batch only, and not in int8.
UNROLLED_CHUNKS = 8
UNROLLED_CHUNKS_IN_INFERENCE = 64


class Operands(typing.NamedTuple):
    """The tensors that a contraction takes; `None` for those that a layer or a call does not have.

    Attributes:
        queries: `[b, n, h, k]`.
        values: `[b, m, u, v]`.
        keys: Keys before their normalisation, `[b, m, u, k]`; `None` for positions only.
        table: R, `[*scope, k, u]`; `None` for content only, or where there are `embeddings`.
        embeddings: E, which `expand` made of the table for these grids and this dense plan, once for many calls.
            Without a mask only.
        mask: Boolean `[n, m]`, true where a query sees a position.
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


def reach_of_band(scope_rows: int, grids: Grids, plan: Plan) -> int | None:
    """How far the band of a chunk reaches past its own rows on either side.

    Args:
        scope_rows: Side of the scope, or offsets of a global table, along the first axis.
        grids: The `Grids` of queries and context.
        plan: A `Plan` of a dense order.

    Returns:
        A number of rows; `None` where chunks see all rows of the context, or the plan has no chunks.
    """
    reach, height = scope_rows // 2, grids.context[0]
    if plan.query_rows is None or height != grids.queries[0] or plan.query_rows + 2 * reach >= height:
        return None
    return reach


def expand(table: typing.Any, grids: Grids, plan: Plan) -> typing.Any:
    """The embeddings E in the form that a dense plan multiplies, for inputs without a mask.

    Args:
        table: Relative embeddings R, `[*scope, k, u]`.
        grids: The `Grids` of queries and context.
        plan: A `Plan` of a dense order.

    Returns:
        `[n, k, m·u]`; of one chunk and its band where the chunks share them.
    """
    shift = None
    reach = reach_of_band(table.shape[0], grids, plan)
    if reach is not None:
        shift = (reach, *(0 for _ in grids.queries[1:]))
        grids = _one_chunk(grids, plan, reach)
    columns = expand_columns(fit_table(table, grids, shift), grids)
    return expand_rows(columns, grids.queries[0] - 1, grids.queries[0], grids.context[0])


def shape_of_embeddings(table_shape: tuple[int, ...], grids: Grids, plan: Plan) -> tuple[int, int, int]:
    """The shape of what `expand` returns, without making it."""
    reach = reach_of_band(table_shape[0], grids, plan)
    if reach is not None:
        grids = _one_chunk(grids, plan, reach)
    *_, key_dim, intra_depth = table_shape
    n, m = grids.positions
    return n, key_dim, m * intra_depth


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
    chunks = grids.queries[0] // plan.query_rows
    own, shared = _cut(operands, grids, plan)
    given = [tensor is not None for tensor in (*own, *shared)]
    own_tensors, shared_tensors = _present(own), _present(shared)

    def output(*tensors):
        remaining = iter(tensors)
        fields = [next(remaining) if is_given else None for is_given in given]
        # A field belongs to the chunk or is shared, never both.
        pairs = zip(fields[: len(own)], fields[len(own) :], strict=True)
        chunk = _Chunk(*(theirs if ours is None else ours for ours, theirs in pairs))
        return contract_rows(_with_embeddings(chunk, grids, plan))

    if chunks <= (UNROLLED_CHUNKS_IN_INFERENCE if training is False else UNROLLED_CHUNKS):
        outputs = ops.stack([output(*(tensor[i] for tensor in own_tensors), *shared_tensors) for i in range(chunks)])
    else:
        # Recomputed gradients do not reach what a function closes over, so all tensors are arguments.
        recomputed = keras.remat(output)
        outputs = ops.map(lambda chunk: recomputed(*chunk, *shared_tensors), own_tensors)
    n, h = operands.queries.shape[1:3]
    return ops.reshape(ops.moveaxis(outputs, 0, 1), (-1, n, h, outputs.shape[-1]))


def _cut(operands, grids, plan):
    """What each chunk has of its own, on a leading axis of chunks, and what all chunks share."""
    rows, height = plan.query_rows, grids.queries[0]
    chunks = height // rows
    n, h, k = operands.queries.shape[1:]
    own = _Chunk(queries=ops.moveaxis(ops.reshape(operands.queries, (-1, chunks, n // chunks, h, k)), 1, 0))
    shared = _Chunk(values=operands.values, keys=operands.keys)
    if operands.mask is not None:
        own = own._replace(mask=ops.reshape(operands.mask, (chunks, n // chunks, -1)))
    table, embeddings = operands.table, operands.embeddings
    if table is not None:
        if operands.mask is None and reach_of_band(table.shape[0], grids, plan) is not None:
            embeddings = expand(table, grids, plan)
        else:
            own = own._replace(first_row=ops.arange(height - 1, -1, -rows, dtype="int32"))
            shared = shared._replace(columns=expand_columns(fit_table(table, grids), grids))
    if embeddings is None:
        return own, shared
    if embeddings.shape[0] == n:
        own = own._replace(embeddings=ops.reshape(embeddings, (chunks, n // chunks, *embeddings.shape[1:])))
        return own, shared
    band = height * embeddings.shape[-1] // math.prod(operands.values.shape[1:3])
    bands = _bands(operands.values, height, rows, (band - rows) // 2)
    return own._replace(values=bands), shared._replace(values=None, embeddings=embeddings)


def _present(operands):
    return tuple(tensor for tensor in operands if tensor is not None)


def _with_embeddings(chunk, grids, plan):
    """The operands of a chunk, its embeddings expanded."""
    embeddings = chunk.embeddings
    if chunk.columns is not None:
        embeddings = expand_rows(chunk.columns, chunk.first_row, plan.query_rows, grids.context[0])
    return Operands(chunk.queries, chunk.values, chunk.keys, embeddings=embeddings, mask=chunk.mask)


def _bands(values, height, rows, reach):
    """For each chunk of rows the values of all rows it reaches, zeros beyond the edge: `[chunks, b, band, u, v]`."""
    m, u, v = values.shape[1:]
    row, band = m // height, rows + 2 * reach
    values = ops.reshape(values, (-1, height, row, u, v))
    values = ops.pad(values, [(0, 0), (reach, reach), (0, 0), (0, 0), (0, 0)])
    index = [list(range(first, first + band)) for first in range(0, height, rows)]
    bands = ops.moveaxis(ops.take(values, index, axis=1), 1, 0)
    return ops.reshape(bands, (height // rows, -1, band * row, u, v))
