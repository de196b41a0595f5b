"""`plan` picks the order in which a lambda layer contracts its position part, and the size of its chunks."""

import dataclasses
import math

DENSE_ORDERS = ("lambda_first", "query_first")
CONVOLUTIONS = ("convolution", "depthwise_convolution")
ORDERS = DENSE_ORDERS + CONVOLUTIONS

# Bytes that the largest intermediate of a layer may take before its queries are processed in chunks.
MEMORY_BUDGET = 512 * 2**20
# What a plan assumes where the batch is unknown until a step runs.
ASSUMED_BATCH = 32


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
    training=False,
    masked=False,
    xla_on_cpu=False,
    implementation="auto",
    memory_budget=MEMORY_BUDGET,
):
    """Picks the order of contraction, and how many rows of queries to process at once.

    Read it as a table, first row that fits. `cost` below is h·(1/k + 1/v), the work of a score in units of the
    work of a lambda; x is r²/(n·min(cost, 1)), the work of the convolution in units of the better dense order's. The
    limits were measured with `benchmarks/contraction.py` on CPU.

    | situation                                                     | order                          |
    |---------------------------------------------------------------|--------------------------------|
    | the layer names an order                                      | that one                       |
    | unknown height or width                                       | convolution                    |
    | mask, other context grid, global scope, or XLA on CPU         | dense                          |
    | inference, x < 2.5, its intermediate within the budget        | convolution                    |
    | training, x < 0.4, its intermediate and 8·E within the budget | convolution                    |
    | otherwise                                                     | dense                          |
    | dense, cost > 0.5 (training: 0.65)                            | lambda-first                   |
    | dense otherwise                                               | query-first                    |

    A dense order runs in chunks of rows when E and its intermediate would together pass the budget; a chunk takes
    a sixteenth of it, or one row, since chunks that stay in the caches are faster.

    Args:
        query_grid: Sides of the grid of queries, `None` where unknown.
        context_grid: Sides of the grid of context positions.
        num_heads: h.
        key_dim: k.
        value_dim: v.
        intra_depth: u.
        scope_size: `None` for global, else one odd side for each axis.
        batch: Examples a step; `None` if unknown, and then taken as `ASSUMED_BATCH`.
        training: Whether gradients will be taken.
        masked: Whether a mask is given.
        xla_on_cpu: Whether XLA compiles the step for a CPU, where its convolutions are very slow.
        implementation: `"auto"` or one of `ORDERS`.
        memory_budget: Bytes.

    Returns:
        A `Plan`.

    Raises:
        ValueError: The order asked for cannot do what the layer is given.
    """
    grid_is_known = None not in (*query_grid, *context_grid)
    can_convolve = not masked and tuple(query_grid) == tuple(context_grid)
    if not grid_is_known:
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

    n, m = math.prod(query_grid), math.prod(context_grid) * intra_depth
    batch = batch or ASSUMED_BATCH
    cost = num_heads * (1 / key_dim + 1 / value_dim)
    lambdas_fit = 4 * batch * n * key_dim * value_dim <= memory_budget
    if implementation == "auto" and can_convolve and scope_size is not None and not xla_on_cpu and lambdas_fit:
        embeddings_fit = 4 * n * m * key_dim <= memory_budget // 8
        if math.prod(scope_size) / (n * min(cost, 1)) < (0.4 if training else 2.5) and (embeddings_fit or not training):
            return Plan("convolution")

    order = implementation
    if implementation == "auto":
        order = "lambda_first" if cost > (0.65 if training else 0.5) else "query_first"
    numbers_per_query = m * key_dim + batch * (key_dim * value_dim if order == "lambda_first" else num_heads * m)
    if masked:
        numbers_per_query += batch * m * key_dim
    row = n // query_grid[0]
    if 4 * n * numbers_per_query <= memory_budget:
        return Plan(order)
    rows = max(1, memory_budget // 16 // (4 * row * numbers_per_query))
    return Plan(order, max(divisor for divisor in range(1, rows + 1) if query_grid[0] % divisor == 0))
