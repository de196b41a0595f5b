"""`plan` picks the order in which a lambda layer contracts its position part, and the size of its chunks."""

import dataclasses
import math

DENSE_ORDERS = ("lambda_first", "query_first")
CONVOLUTIONS = ("convolution", "depthwise_convolution")
ORDERS = DENSE_ORDERS + CONVOLUTIONS

# Bytes that E and the intermediate of a chunk of queries may take. On a CPU the limit is the caches (and the size past
# which an allocator hands out fresh pages), on an accelerator its memory.
CPU_MEMORY_BUDGET = 24 * 2**20
ACCELERATOR_MEMORY_BUDGET = 1024 * 2**20
# What a plan assumes where the batch is unknown until a step runs.
ASSUMED_BATCH = 8
# Queries that make a chunk large enough for matrix products to be efficient.
QUERIES_IN_A_BAND = 128


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a layer contracts the position part.

    Attributes:
        order: One of `ORDERS`.
        query_rows: Rows of the query grid in a chunk of a dense order; `None` for all rows at once.
    """

    order: str
    query_rows: int | None = None


def plan(
    query_grid,
    context_grid,
    *,
    num_heads,
    key_dim,
    value_dim,
    intra_depth=1,
    scope_size=None,
    batch=None,
    masked=False,
    xla_on_cpu=False,
    implementation="auto",
    memory_budget=CPU_MEMORY_BUDGET,
):
    """Picks the order of contraction, and how many rows of queries to process at once.

    Read it as a table, first row that fits:

    | situation                                           | order                                            |
    |-----------------------------------------------------|--------------------------------------------------|
    | the layer names an order                            | that one                                         |
    | unknown height or width                             | convolution                                      |
    | scope far smaller than the map: x < 0.2, no mask,   | depthwise convolution (convolution in 3-D);      |
    | same grid for queries and context                   | never where XLA compiles for a CPU               |
    | cost > 0.35: many heads, or shallow keys and values | lambda-first, in chunks                          |
    | otherwise                                           | query-first, in chunks                           |

    `cost` = h·(1/k + 1/v) is the work of the query-first order in units of lambda-first's. x is the work of the
    convolution in units of that of a dense order on the band of context rows that a chunk sees.

    Chunks of a dense order are as many rows as fit the budget: this bounds memory, and on a CPU it is also several
    times faster than all rows at once. Where the scope does not reach all rows, chunks are smaller still, of
    about 128 queries, since each then sees a band of the context only. The limits were measured on a CPU, in
    inference and training, with `benchmarks/contraction.py`.

    Args:
        query_grid: Sides of the grid of queries, `None` where unknown.
        context_grid: Sides of the grid of context positions.
        num_heads: h.
        key_dim: k.
        value_dim: v.
        intra_depth: u.
        scope_size: `None` for global, else one odd side for each axis.
        batch: Examples a step; `None` if unknown, and then taken as `ASSUMED_BATCH`.
        masked: Whether a mask is given.
        xla_on_cpu: Whether XLA compiles the step for a CPU, where its convolutions are very slow.
        implementation: `"auto"` or one of `ORDERS`.
        memory_budget: Bytes.

    Returns:
        A `Plan`.

    Raises:
        ValueError: The order asked for cannot do what the layer is given.
    """
    can_convolve = not masked and tuple(query_grid) == tuple(context_grid)
    if None in (*query_grid, *context_grid):
        if not can_convolve or scope_size is None or implementation in DENSE_ORDERS:
            raise ValueError(
                "Inputs of unknown size need a local scope, no mask, no other context grid, and implementation "
                f"'auto' or 'convolution'. Received: query grid {query_grid}, context grid {context_grid}, "
                f"scope_size={scope_size}, mask={'given' if masked else None}, implementation={implementation!r}"
            )
        return Plan("convolution" if implementation == "auto" else implementation)
    if implementation in CONVOLUTIONS:
        if not can_convolve:
            raise ValueError(
                f"implementation={implementation!r} takes neither a mask nor a context on another grid. Received: "
                f"query grid {query_grid}, context grid {context_grid}, mask={'given' if masked else None}. "
                "Use 'auto', 'query_first' or 'lambda_first'."
            )
        return Plan(implementation)

    height, row = query_grid[0], math.prod(query_grid[1:])
    cost = num_heads * (1 / key_dim + 1 / value_dim)
    rows, seen_rows = height, context_grid[0]
    if can_convolve and scope_size is not None:
        band = _largest_divisor(height, QUERIES_IN_A_BAND // row)
        if band + scope_size[0] - 1 < height:
            rows, seen_rows = band, band + scope_size[0] - 1
    order = implementation
    if implementation == "auto":
        x = math.prod(scope_size) / (seen_rows * row * min(cost, 1)) if rows < height else math.inf
        if x < 0.2 and not xla_on_cpu:
            return Plan("depthwise_convolution" if len(query_grid) < 3 else "convolution")
        order = "lambda_first" if cost > 0.35 else "query_first"

    batch = batch or ASSUMED_BATCH
    m = seen_rows * math.prod(context_grid[1:]) * intra_depth
    intermediate = key_dim * value_dim if order == "lambda_first" else num_heads * m
    numbers_per_query = m * key_dim + batch * (intermediate + (m * key_dim if masked else 0))
    rows = _largest_divisor(height, min(rows, memory_budget // (4 * row * numbers_per_query)))
    return Plan(order, None if rows == height else rows)


def _largest_divisor(number, limit):
    """The largest divisor of a number up to a limit, and 1 at least."""
    return max(divisor for divisor in range(1, max(limit, 1) + 1) if number % divisor == 0)
