"""The embeddings E that a dense plan of contraction multiplies: of all queries, or of the chunk that stands for all.

Under a local scope that does not reach all rows of the context, each chunk of query rows sees a band of rows, and all
chunks have the same embeddings of queries and band: E is small then, however large the map is.
"""

import math

from lambda_keras.layers.relative_position import expand_columns, expand_rows, fit_table


def reach_of_band(scope_rows, query_grid, context_grid, plan):
    """How far the band of a chunk reaches past its own rows on either side.

    Args:
        scope_rows: Side of the scope, or offsets of a global table, along the first axis.
        query_grid: Sides of the grid of queries.
        context_grid: Sides of the grid of context positions.
        plan: A `Plan` of a dense order.

    Returns:
        A number of rows; `None` where chunks see all rows of the context, or the plan has no chunks.
    """
    reach = scope_rows // 2
    if plan.query_rows is None or context_grid[0] != query_grid[0] or plan.query_rows + 2 * reach >= context_grid[0]:
        return None
    return reach


def expand(table, query_grid, context_grid, plan):
    """The embeddings E in the form that a dense plan multiplies, for inputs without a mask.

    Args:
        table: Relative embeddings R, `[*scope, k, u]`.
        query_grid: Sides of the grid of queries.
        context_grid: Sides of the grid of context positions.
        plan: A `Plan` of a dense order.

    Returns:
        `[n, k, m·u]`; of one chunk and its band where the chunks share them.
    """
    shift = None
    reach = reach_of_band(table.shape[0], query_grid, context_grid, plan)
    if reach is not None:
        shift = (reach, *(0 for _ in query_grid[1:]))
        query_grid, context_grid = _one_chunk(query_grid, context_grid, plan, reach)
    columns = expand_columns(fit_table(table, query_grid, context_grid, shift), query_grid, context_grid)
    return expand_rows(columns, query_grid[0] - 1, query_grid[0], context_grid[0])


def shape_of_embeddings(table_shape, query_grid, context_grid, plan):
    """The shape of what `expand` returns, without making it."""
    reach = reach_of_band(table_shape[0], query_grid, context_grid, plan)
    if reach is not None:
        query_grid, context_grid = _one_chunk(query_grid, context_grid, plan, reach)
    *_, key_dim, intra_depth = table_shape
    return math.prod(query_grid), key_dim, math.prod(context_grid) * intra_depth


def _one_chunk(query_grid, context_grid, plan, reach):
    """The grids of a chunk of query rows and of the band of context rows that it sees."""
    return (plan.query_rows, *query_grid[1:]), (plan.query_rows + 2 * reach, *context_grid[1:])
