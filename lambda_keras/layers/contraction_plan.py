"""`plan` picks the order in which a lambda layer contracts its position part, and the size of its chunks."""

import dataclasses
import functools
import math
import typing

from lambda_keras.layers.grids import Grids

DENSE_ORDERS = ("lambda_first", "query_first")
CONVOLUTIONS = ("convolution", "depthwise_convolution")
ORDERS = DENSE_ORDERS + CONVOLUTIONS

# What a plan assumes where the batch is unknown until a step runs.
ASSUMED_BATCH = 8

# Up to this many chunks are written out one after the other, a loop serves more. Where gradients may be taken, a step
# of 64 chunks written out took two and a half times the memory of the loop. Inference keeps nothing of a chunk, and
# exported graphs pay for a loop: TFLite takes it with a fixed batch only, and not in int8.
UNROLLED_CHUNKS = 8
UNROLLED_CHUNKS_IN_INFERENCE = 64

# Which masks a problem has.
Mask = typing.Literal[None, "shared", "of_examples"]


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


class Costs(typing.NamedTuple):
    """What the parts of an order of contraction cost on a device, in seconds.

    Attributes:
        chunk: Each chunk of query rows but the first.
        multiply_add: Each multiply-add of the position part.
        number: Each number of the intermediate: written, moved and read.
        embedding: Each number of E that is made.
        copied: Each number of the values that bands copy.
        large: Each number of the intermediate and of E more, where those of a chunk take more than `caches` bytes.
        query: Each query of an example, whose lambda is applied in a product of its own.
        recomputed: Each multiply-add more, where a gradient makes the chunks again.
        call: The order itself, more than the operations that all orders have.
    """

    chunk: float
    multiply_add: float
    number: float
    embedding: float = 0.0
    copied: float = 0.0
    large: float = 0.0
    query: float = 0.0
    recomputed: float = 0.0
    call: float = 0.0


# Devices are told apart by identity: their costs are dicts.
@dataclasses.dataclass(frozen=True, eq=False)
class Device:
    """What a plan knows of a kind of device.

    Attributes:
        memory: Bytes that the embeddings E and the intermediate of a chunk may take.
        caches: Bytes of a chunk beyond which its numbers cost more.
        inference: The `Costs` of each order.
        training: The same with gradients.
        convolves: Whether an order may be a convolution. XLA compiles very slow ones for CPUs.
    """

    memory: int
    caches: int
    inference: dict[str, Costs]
    training: dict[str, Costs]
    convolves: bool = True


# Fitted by `python -m benchmarks.contraction --fit` on two cores of an Intel Xeon (AVX-512, AMX, 2 MB of L2 a core),
# with nothing else running; of the bounds from 2 to 40 MB for `caches` this one had the least regret. Since then
# lambda-first has become one product, which is faster than these costs of it say.
ON_AVX512 = Device(
    memory=64 * 2**20,
    caches=12 * 2**20,
    inference={
        "lambda_first": Costs(7.7e-05, 1.2e-11, 9.6e-10, embedding=5.6e-10, large=1.3e-10, query=1.4e-07),
        "query_first": Costs(
            6.7e-05, 1.2e-11, 3.4e-10, embedding=6e-10, copied=1.2e-09, large=1.2e-10, query=2.7e-07, call=0.00012
        ),
        "convolution": Costs(0, 8.3e-12, 1.9e-09, call=8e-05),
        "depthwise_convolution": Costs(0, 1.5e-11, 6e-10, large=4e-10, call=0.00023),
    },
    training={
        "lambda_first": Costs(
            0.00033, 6.7e-11, 1.1e-09, embedding=1.6e-09, large=1.7e-09, query=6.7e-07, recomputed=8.7e-12
        ),
        "query_first": Costs(
            0.00029,
            1.5e-11,
            9.3e-10,
            embedding=2.4e-09,
            copied=6.1e-09,
            large=1e-09,
            query=6.8e-07,
            recomputed=2.2e-11,
            call=0.00018,
        ),
        "convolution": Costs(0, 1.5e-10, 2.2e-09, large=2.6e-09, query=2.5e-07, call=0.00011),
        "depthwise_convolution": Costs(0, 1.8e-10, 7.5e-10, large=2.6e-09, call=0.00025),
    },
)
# The same on two cores of an AMD EPYC without AVX-512, where a convolution's multiply-add costs several times a matrix
# product's. A chunk costs at least half of what it costs above: of that the shapes that were drawn said too little.
ON_AVX2 = Device(
    memory=64 * 2**20,
    caches=12 * 2**20,
    inference={
        "lambda_first": Costs(9.2e-05, 1.3e-11, 2e-09, embedding=2.3e-09, large=8.7e-11, query=2e-07, call=0.00026),
        "query_first": Costs(
            4.3e-05, 2.6e-11, 6.3e-10, embedding=2.5e-09, copied=3.2e-09, large=2.6e-10, query=5.9e-07
        ),
        "convolution": Costs(0, 1.7e-10, 1.4e-10, query=1.6e-06, call=0.00055),
        "depthwise_convolution": Costs(0, 1.8e-10, 3e-09, call=0.00029),
    },
    training={
        "lambda_first": Costs(
            0.00017,
            3.3e-11,
            3e-09,
            embedding=9.3e-09,
            copied=1.3e-08,
            large=2e-09,
            query=4.9e-07,
            recomputed=9.5e-12,
            call=1.3e-05,
        ),
        "query_first": Costs(
            0.000145,
            3.7e-11,
            3.3e-09,
            embedding=1e-08,
            copied=1.6e-08,
            large=1.9e-09,
            query=3.9e-07,
            recomputed=3.4e-11,
            call=3e-07,
        ),
        "convolution": Costs(0, 6.9e-10, 5.8e-09, query=4e-07, call=0.00026),
        "depthwise_convolution": Costs(0, 7.1e-10, 9.3e-09),
    },
)
XLA_ON_AVX512 = dataclasses.replace(ON_AVX512, convolves=False)
XLA_ON_AVX2 = dataclasses.replace(ON_AVX2, convolves=False)
# Not measured: 20 tera-multiply-adds and 1 terabyte a second, 10 microseconds an operation. Few and large products.
ON_ACCELERATORS = Device(
    memory=1024 * 2**20,
    caches=1024 * 2**20,
    inference={
        "lambda_first": Costs(1e-4, 5e-14, 1.6e-11, embedding=8e-12),
        "query_first": Costs(1e-4, 5e-14, 1.6e-11, embedding=8e-12),
        "convolution": Costs(0, 2e-13, 1.6e-11),
        "depthwise_convolution": Costs(0, 2e-13, 1.6e-11),
    },
    training={
        "lambda_first": Costs(3e-4, 1.5e-13, 5e-11, embedding=2.4e-11, recomputed=5e-14),
        "query_first": Costs(3e-4, 1.5e-13, 5e-11, embedding=2.4e-11, recomputed=5e-14),
        "convolution": Costs(0, 6e-13, 5e-11),
        "depthwise_convolution": Costs(0, 6e-13, 5e-11),
    },
)


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


def number_of_chunks(grids: Grids, plan: Plan) -> int:
    """How many chunks of query rows a dense plan makes; the last may have rows past the grid, which are cut off."""
    return 1 if plan.query_rows is None else math.ceil(grids.queries[0] / plan.query_rows)


@dataclasses.dataclass(frozen=True)
class Problem:
    """What a layer has to contract.

    Attributes:
        grids: The `Grids` of queries and context.
        depths: The `Depths` of the layer.
        scope_size: `None` for global, else one odd side for each axis.
        batch: Examples a step; the default stands for an unknown batch.
        mask: `None`; `"shared"`, a mask that all examples share; `"of_examples"`, each example has one of its own.
    """

    grids: Grids
    depths: Depths
    scope_size: tuple[int, ...] | None
    batch: int = ASSUMED_BATCH
    mask: Mask = None

    def memory(self, plan: Plan) -> int:
        """Bytes of the embeddings E and the intermediate of a chunk, in float32."""
        return 4 * (self._embeddings(plan) + self._intermediate(plan))

    def seconds(self, plan: Plan, costs: Costs, caches: int, training: bool | None = False) -> float:
        """What a plan is expected to take."""
        (h, k, v, u), n = dataclasses.astuple(self.depths), self.grids.positions[0]
        if plan.order in CONVOLUTIONS:
            number = self.batch * n * k * v
            work, copied, embeddings, chunks = number * math.prod(self.scope_size or ()) * u, 0, 0, 0
            large = 4 * number > caches
        else:
            chunks = number_of_chunks(self.grids, plan)
            queries, m = chunks * self._queries(plan), self._seen(plan)
            number, embeddings = chunks * self._intermediate(plan), self._embeddings(plan)
            is_banded = self._reach(plan) is not None
            embeddings *= 1 if is_banded else chunks
            copied = self.batch * chunks * m * v if is_banded else 0
            pairs = h * m * (k + v) if plan.order == "query_first" else k * v * (m + h)
            work, large = self.batch * queries * pairs, self.memory(plan) > caches
        time = costs.call + costs.chunk * max(chunks - 1, 0) + costs.multiply_add * work + costs.number * number
        time += costs.copied * copied + costs.embedding * embeddings + costs.query * self.batch * n
        if large:
            time += costs.large * (number + embeddings)
        if training and chunks > UNROLLED_CHUNKS:
            time += costs.recomputed * work
        return time

    def _queries(self, plan):
        """Queries in a chunk."""
        rows, *row = self.grids.queries
        return (plan.query_rows or rows) * math.prod(row)

    def _reach(self, plan):
        if self.scope_size is None or self.mask:
            return None
        return reach_of_band(self.scope_size[0], self.grids, plan)

    def _seen(self, plan):
        """Keys and values that a chunk sees, m·u."""
        rows, *row = self.grids.context
        reach = self._reach(plan)
        rows = rows if reach is None else plan.query_rows + 2 * reach
        return rows * math.prod(row) * self.depths.intra_depth

    def _embeddings(self, plan):
        return self._queries(plan) * self._seen(plan) * self.depths.key_dim

    def _intermediate(self, plan):
        h, k, v, _ = dataclasses.astuple(self.depths)
        numbers = h * self._seen(plan) if plan.order == "query_first" else k * v
        # Under a mask every query has keys of its own.
        numbers += self._seen(plan) * k if self.mask else 0
        return self.batch * self._queries(plan) * numbers


def plan(
    problem: Problem,
    *,
    training: bool | None = False,
    stores_embeddings: bool = False,
    implementation: str = "auto",
    device: Device = ON_AVX512,
) -> Plan:
    """Picks the order of contraction, and how many rows of queries to process at once.

    The plan is the cheapest, by `Problem.seconds`, of those that are possible:

    | situation                                             | possible                                       |
    |-------------------------------------------------------|------------------------------------------------|
    | the layer names an order                              | that one, a dense one in chunks of any size    |
    | unknown height or width                               | convolution                                    |
    | always                                                | lambda-first, query-first, in chunks           |
    | each example has a mask of its own                    | query-first alone, in chunks                   |
    | local scope, no mask, one grid for queries and context| the two convolutions as well; one of 3-D grids |
    | ..., compiled by XLA for a CPU                        | no convolution: they are very slow there       |

    A dense order may process a few rows of queries at a time. This bounds memory: a chunk of more than one row keeps to
    the device's. Where the scope does not reach all rows, each chunk sees a band of the context only, which saves work.

    Args:
        problem: The `Problem`, with `None` where a side of a grid is unknown.
        training: Whether gradients are taken.
        stores_embeddings: Whether E is stored, so that a call need not make it.
        implementation: `"auto"` or one of `ORDERS`.
        device: The `Device` that runs the step.

    Returns:
        A `Plan`.

    Raises:
        ValueError: The order asked for cannot do what the layer is given.

    Example:
        >>> depths = Depths(num_heads=4, key_dim=16, value_dim=64)
        >>> plan(Problem(Grids((14, 14), (14, 14)), depths, scope_size=(23, 23), batch=8))
        Plan(order='query_first', query_rows=None)
    """
    grids, scope_size = problem.grids, problem.scope_size
    mask = "given" if problem.mask else None
    can_convolve = not mask and grids.queries == grids.context
    if not grids.known:
        if not can_convolve or scope_size is None or implementation in DENSE_ORDERS:
            raise ValueError(
                "Inputs of unknown size need a local scope, no mask, no other context grid, and implementation "
                f"'auto' or 'convolution'. Received: query grid {grids.queries}, context grid {grids.context}, "
                f"scope_size={scope_size}, mask={mask}, implementation={implementation!r}"
            )
        return Plan("convolution" if implementation == "auto" else implementation)
    if implementation in CONVOLUTIONS:
        if not can_convolve:
            raise ValueError(
                f"implementation={implementation!r} takes neither a mask nor a context on another grid. Received: "
                f"query grid {grids.queries}, context grid {grids.context}, mask={mask}. "
                "Use 'auto', 'query_first' or 'lambda_first'."
            )
        return Plan(implementation)

    if problem.mask == "of_examples":
        if implementation == "lambda_first":
            raise ValueError(
                "implementation='lambda_first' takes no mask [batch, n, m], with which examples share no embeddings. "
                "Use 'auto' or 'query_first'."
            )
        implementation = "query_first"
    orders: tuple[str, ...] = DENSE_ORDERS if implementation == "auto" else (implementation,)
    if implementation == "auto" and can_convolve and scope_size is not None and device.convolves:
        orders += CONVOLUTIONS if len(scope_size) < 3 else CONVOLUTIONS[:1]
    return _cheapest(problem, orders, device, bool(training), stores_embeddings)


# An eager model asks in each call.
@functools.lru_cache(maxsize=1024)
def _cheapest(problem, orders, device, training, stores_embeddings):
    """The plan of these orders that is expected to take the least time."""
    height = problem.grids.queries[0]
    plans = [Plan(order, rows) for order in orders if order in DENSE_ORDERS for rows in _rows_to_try(height)]
    plans = [plan for plan in plans if plan.query_rows == 1 or problem.memory(plan) <= device.memory]
    plans += [Plan(order) for order in orders if order in CONVOLUTIONS]
    costs = device.training if training else device.inference
    if stores_embeddings:
        costs = {order: each._replace(embedding=0.0) for order, each in costs.items()}
    best = min(plans, key=lambda plan: problem.seconds(plan, costs[plan.order], device.caches, training))
    return Plan(best.order) if best.query_rows == height else best


def _rows_to_try(height):
    """Chunks of these many rows waste the fewest: for each number of chunks the smallest that will do."""
    root = math.isqrt(height) + 1
    return sorted({math.ceil(height / chunks) for chunks in range(1, root)} | set(range(1, min(root, height) + 1)))
