"""`plan` picks the order in which a lambda layer contracts its position part, and the size of its chunks."""

import dataclasses
import math

DENSE_ORDERS = ("lambda_first", "query_first")
CONVOLUTIONS = ("convolution", "depthwise_convolution")
ORDERS = DENSE_ORDERS + CONVOLUTIONS

# Bytes that E and the intermediate of a chunk of queries may take on a CPU: past it, each allocation is of fresh pages.
CPU_MEMORY_BUDGET = 24 * 2**20
# Queries in a chunk on a CPU, at the most, where there is more than one row: enough for efficient matrix products,
# few enough for the caches.
QUERIES_IN_A_CHUNK = 96
# What differs on an accelerator, which wants few and large products.
ON_ACCELERATORS = {"memory_budget": 1024 * 2**20, "queries_in_a_chunk": None}
# What a plan assumes where the batch is unknown until a step runs.
ASSUMED_BATCH = 8


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
    queries_in_a_chunk=QUERIES_IN_A_CHUNK,
):
    """Picks the order of contraction, and how many rows of queries to process at once.

    Read it as a table, first row that fits:

    | situation                                           | order                                            |
    |-----------------------------------------------------|--------------------------------------------------|
    | the layer names an order                            | that one                                         |
    | unknown height or width                             | convolution                                      |
    | scope far smaller than the map: x < 0.22, no mask,  | depthwise convolution (convolution in 3-D);      |
    | same grid for queries and context                   | never where XLA compiles for a CPU               |
    | cost > 0.35: many heads, or shallow keys and values | lambda-first, in chunks                          |
    | otherwise                                           | query-first, in chunks                           |

    `cost` = h·(1/k + 1/v) is the work of the query-first order in units of lambda-first's. x is the work of the
    convolution in units of that of a dense order on the band of context rows that a chunk sees.

    A dense order processes a few rows of queries at a time: this bounds memory, on a CPU it is also several times
    faster than all rows at once, and where the scope does not reach all rows each chunk sees a band of the context
    only. The limits were measured on a CPU with `benchmarks/contraction.py`; they are the same in inference and in
    training.

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
        memory_budget: Bytes that E and the intermediate of a chunk may take.
        queries_in_a_chunk: Queries in a chunk of rows at the most; `None` to let the budget alone decide.

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
    rows = _largest_divisor(height, height if queries_in_a_chunk is None else queries_in_a_chunk // row)
    seen_rows, x = context_grid[0], math.inf
    if can_convolve and scope_size is not None:
        seen_rows = min(seen_rows, rows + scope_size[0] - 1)
        x = math.prod(scope_size) / (seen_rows * row * min(cost, 1))
    order = implementation
    if implementation == "auto":
        if x < 0.22 and not xla_on_cpu:
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
