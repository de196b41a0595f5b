"""`plan` picks the order in which a lambda layer contracts its position part, and the size of its chunks."""

import dataclasses
import math

from lambda_keras.layers.grids import Grids

DENSE_ORDERS = ("lambda_first", "query_first")
CONVOLUTIONS = ("convolution", "depthwise_convolution")
ORDERS = DENSE_ORDERS + CONVOLUTIONS

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


@dataclasses.dataclass(frozen=True)
class Depths:
    """The sizes of a lambda layer that are not positions.

    Attributes:
        num_heads: Queries h that share a lambda.
        key_dim: Key depth k.
        value_dim: Value depth v.
        intra_depth: Intra-depth u.
    """

    num_heads: int
    key_dim: int
    value_dim: int
    intra_depth: int = 1


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a chunk of queries may take on a device.

    Attributes:
        memory: Bytes of its embeddings E and its intermediate.
        queries: Queries at the most, where there is more than one row; `None` to let the memory alone decide.
    """

    memory: int
    queries: int | None = None


# Past this much memory each allocation takes new pages. This many queries are enough for efficient matrix products and
# few enough for the caches.
ON_CPU = Budget(memory=24 * 2**20, queries=96)
# An accelerator wants few and large products.
ON_ACCELERATORS = Budget(memory=1024 * 2**20)


def plan(
    grids: Grids,
    depths: Depths,
    *,
    scope_size: tuple[int, ...] | None = None,
    batch: int | None = None,
    masked: bool = False,
    implementation: str = "auto",
    budget: Budget = ON_CPU,
    xla_on_cpu: bool = False,
) -> Plan:
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
        grids: The `Grids` of queries and context, with `None` where a side is unknown.
        depths: The `Depths` of the layer.
        scope_size: `None` for global, else one odd side for each axis.
        batch: Examples a step; `None` if unknown, and then taken as `ASSUMED_BATCH`.
        masked: Whether a mask is given.
        implementation: `"auto"` or one of `ORDERS`.
        budget: The `Budget` of a chunk of queries.
        xla_on_cpu: Whether XLA compiles the step for a CPU, where its convolutions are very slow.

    Returns:
        A `Plan`.

    Raises:
        ValueError: The order asked for cannot do what the layer is given.

    Example:
        >>> plan(Grids((14, 14), (14, 14)), Depths(num_heads=4, key_dim=16, value_dim=64), scope_size=(23, 23))
        Plan(order='query_first', query_rows=2)
    """
    can_convolve = not masked and grids.queries == grids.context
    if not grids.known:
        if not can_convolve or scope_size is None or implementation in DENSE_ORDERS:
            raise ValueError(
                "Inputs of unknown size need a local scope, no mask, no other context grid, and implementation "
                f"'auto' or 'convolution'. Received: query grid {grids.queries}, context grid {grids.context}, "
                f"scope_size={scope_size}, mask={'given' if masked else None}, implementation={implementation!r}"
            )
        return Plan("convolution" if implementation == "auto" else implementation)
    if implementation in CONVOLUTIONS:
        if not can_convolve:
            raise ValueError(
                f"implementation={implementation!r} takes neither a mask nor a context on another grid. Received: "
                f"query grid {grids.queries}, context grid {grids.context}, mask={'given' if masked else None}. "
                "Use 'auto', 'query_first' or 'lambda_first'."
            )
        return Plan(implementation)

    height, row = grids.queries[0], math.prod(grids.queries[1:])
    cost = depths.num_heads * (1 / depths.key_dim + 1 / depths.value_dim)
    rows = _largest_divisor(height, height if budget.queries is None else budget.queries // row)
    seen_rows, x = grids.context[0], math.inf
    if can_convolve and scope_size is not None:
        seen_rows = min(seen_rows, rows + scope_size[0] - 1)
        x = math.prod(scope_size) / (seen_rows * row * min(cost, 1))
    order = implementation
    if implementation == "auto":
        if x < 0.22 and not xla_on_cpu:
            return Plan("depthwise_convolution" if len(grids.queries) < 3 else "convolution")
        order = "lambda_first" if cost > 0.35 else "query_first"

    batch = batch or ASSUMED_BATCH
    m = seen_rows * math.prod(grids.context[1:]) * depths.intra_depth
    keys_of_query = m * depths.key_dim
    intermediate = depths.key_dim * depths.value_dim if order == "lambda_first" else depths.num_heads * m
    numbers_per_query = keys_of_query + batch * (intermediate + (keys_of_query if masked else 0))
    rows = _largest_divisor(height, min(rows, budget.memory // (4 * row * numbers_per_query)))
    return Plan(order, None if rows == height else rows)


def _largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of a number up to a limit, and 1 at least."""
    return max(divisor for divisor in range(1, max(limit, 1) + 1) if number % divisor == 0)
