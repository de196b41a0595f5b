"""Times every order and size of chunk on drawn shapes, and what `plan` picks; or fits the costs that `plan` adds up.

    python -m benchmarks.contraction           the plan's regret: results/contraction.csv
    python -m benchmarks.contraction --fit     prints costs for `contraction_plan`, from other shapes

Figures are seconds of the position part of one layer (queries, values and table given), float32, in one `tf.function`
without XLA, or what `KERAS_BACKEND` has in its place. Regret is the time of the plan over that of the best candidate.
"""

import math
import random
import time

import keras
import numpy as np

from benchmarks import backends
from benchmarks.attempts import attempt
from benchmarks.timing import interleaved_medians, options, write_csv
from lambda_keras.layers import contraction_plan
from lambda_keras.layers.chunks import Operands
from lambda_keras.layers.contraction import contract
from lambda_keras.layers.contraction_plan import (
    CONVOLUTIONS,
    DENSE_ORDERS,
    ORDERS,
    Costs,
    Depths,
    Plan,
    Problem,
    plan,
)
from lambda_keras.layers.devices import current_device
from lambda_keras.layers.grids import Grids

DEVICE = current_device()
SHAPES, SHORT_SHAPES = 60, 5
HEADS, KEY_DIM = 4, 16
SIDES = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 20, 23, 24, 28, 31, 32, 37, 40, 48, 56, 64)
# Channels 64 to 512 for four heads.
VALUE_DIMS = (16, 32, 64, 128)
SCOPES = (5, 7, 11, 15, 23, None, None)
# A candidate that takes more memory than `TOO_LARGE` would be killed, and values of more numbers take too long. What is
# small keeps no accelerator busy, and there a plan may take as much memory as its device has for it.
if backends.is_accelerated():
    BATCHES, TOO_LARGE, MOST_VALUES = (1, 8, 32, 128), DEVICE.memory, 2**24
else:
    BATCHES, TOO_LARGE, MOST_VALUES = (1, 2, 4, 8, 16, 32), 200 * 2**20, 2**20
# One that takes this many times the best so far has lost.
LOST = 4
# Written out, more chunks take minutes to trace.
MOST_CHUNKS = 16


def draw(seed, count):
    """Problems, each with whether it is trained; the same for a seed."""
    generator = random.Random(seed)
    problems = []
    while len(problems) < count:
        side, batch, value_dim, scope = map(generator.choice, (SIDES, BATCHES, VALUE_DIMS, SCOPES))
        problem = Problem(
            Grids((side, side), (side, side)), Depths(HEADS, KEY_DIM, value_dim), scope and (scope, scope), batch
        )
        values = batch * side**2 * value_dim
        if problem.memory(Plan("query_first", min(2, side))) <= TOO_LARGE and values <= MOST_VALUES:
            problems.append((problem, generator.random() < 0.5))
    return problems


def candidates(problem):
    """Plans worth measuring."""
    height = problem.grids.queries[0]
    rows = sorted({min(count, height) for count in (1, 2, 4, -(-height // 4), -(-height // 2))})
    plans = [Plan(order, count) for order in DENSE_ORDERS for count in rows if height / count <= MOST_CHUNKS]
    plans = [chosen for chosen in plans if chosen.query_rows < height] + [Plan(order) for order in DENSE_ORDERS]
    plans = [chosen for chosen in plans if problem.memory(chosen) <= TOO_LARGE]
    return plans + [Plan(order) for order in CONVOLUTIONS if problem.scope_size]


def chosen_plan(problem, training):
    """What the layer would do."""
    return plan(problem, training=training, device=DEVICE)


def step(problem, training, candidate):
    """A function without arguments that contracts random operands, with gradients if it trains."""
    (n, m), value_dim = problem.grids.positions, problem.depths.value_dim
    sides = problem.scope_size or tuple(2 * side - 1 for side in problem.grids.queries)
    shapes = ((problem.batch, n, HEADS, KEY_DIM), (problem.batch, m, 1, value_dim), (*sides, KEY_DIM, 1))
    tensors = [keras.random.normal(shape) for shape in shapes]

    def contracted(queries, values, table):
        return contract(Operands(queries, values, table=table), problem.grids, candidate, training=training)

    function = backends.forward_and_backward(contracted) if training else backends.forward(contracted)
    return lambda: backends.wait(function(*tensors))


def measure(problem, training, not_done, short=False):
    """Seconds by plan, of the candidates and of the chosen plan; `not_done` gets a line for each that fails."""
    functions, chosen, best = {}, chosen_plan(problem, training), math.inf
    for candidate in dict.fromkeys((chosen, *candidates(problem))):

        def second_call(candidate=candidate):
            function = step(problem, training, candidate)
            function()
            start = time.perf_counter()
            function()
            return function, time.perf_counter() - start

        found = attempt(f"{candidate} of {problem}", second_call, not_done)
        if found is None:
            continue
        function, seconds = found
        best = min(best, seconds)
        if candidate == chosen or seconds < LOST * best:
            functions[candidate] = function
    return interleaved_medians(functions, rounds=7, short=short) if functions else {}


def fit(measured, training):
    """`Costs` by order, which foretell the measured seconds with the least relative error."""
    from scipy.optimize import nnls

    costs = {}
    # The fastest of all is little more than a call of the function that is timed.
    call = min(seconds for _, trains, times in measured if trains == training for seconds in times.values())
    for order in ORDERS:
        rows = [
            (problem, candidate, seconds)
            for problem, trains, times in measured
            for candidate, seconds in times.items()
            if trains == training and candidate.order == order
        ]
        if not rows:
            continue
        # A plan's seconds are linear in the costs, so its share of a cost is what it takes where that one is 1.
        units = [Costs(**{**dict.fromkeys(Costs._fields, 0.0), field: 1.0}) for field in Costs._fields]
        shares = np.array(
            [
                [problem.seconds(candidate, unit, DEVICE.caches, training) for unit in units]
                for problem, candidate, _ in rows
            ]
        )
        seconds = np.array([seconds for *_, seconds in rows])
        shares, wanted = shares / seconds[:, None], (seconds - call) / seconds
        scale = np.maximum(shares.max(axis=0), 1e-300)
        weights = np.ones(len(rows))
        for _ in range(8):
            # A few outliers of a busy machine must not decide: large errors count less each time.
            solution, _ = nnls(shares / scale * weights[:, None], wanted * weights)
            error = np.abs(shares / scale @ solution - wanted)
            weights = 1 / np.sqrt(np.maximum(error, 0.1))
        costs[order] = Costs(*(float(f"{value:.2g}") for value in solution / scale))
    # What all orders pay is no reason to take one of them.
    least = min(each.call for each in costs.values())
    return {order: each._replace(call=float(f"{each.call - least:.2g}")) for order, each in costs.items()}


def fitted(measured):
    """Lines with the costs that `fit` finds, and where they go."""
    place = next(name for name, value in vars(contraction_plan).items() if value is DEVICE)
    lines = [f"Costs to put into `{place}` of lambda_keras/layers/contraction_plan.py:"]
    for mode, training in (("inference", False), ("training", True)):
        lines.append(f"    {mode}={{")
        lines += [f'        "{order}": {costs},' for order, costs in fit(measured, training).items()]
        lines.append("    },")
    return lines


def regrets(measured):
    """The plan's time over the best, for each problem."""
    return [times[chosen_plan(problem, training)] / min(times.values()) for problem, training, times in measured]


def rows_of(problem, training, times):
    """A row for each plan of a problem."""
    chosen, best = chosen_plan(problem, training), min(times.values())
    return [
        {
            "side": problem.grids.queries[0],
            "batch": problem.batch,
            "value_dim": problem.depths.value_dim,
            "scope_size": problem.scope_size[0] if problem.scope_size else "global",
            "mode": "training" if training else "inference",
            "order": candidate.order,
            "query_rows": candidate.query_rows or "all",
            "chosen": int(candidate == chosen),
            "seconds": f"{seconds:.5f}",
            "ratio_to_best": f"{seconds / best:.2f}",
        }
        for candidate, seconds in times.items()
    ]


def main():
    """Measures, prints, writes or fits."""
    parser = options(__doc__)
    parser.add_argument("--fit", action="store_true", help="print costs for contraction_plan instead of regrets")
    parser.add_argument(
        "--shapes", type=int, help=f"how many shapes to draw: {SHAPES}, in the short form {SHORT_SHAPES}"
    )
    arguments = parser.parse_args()
    count = arguments.shapes or (SHORT_SHAPES if arguments.short else SHAPES)
    measured, rows = [], []
    for problem, training in draw(seed=1 if arguments.fit else 2, count=count):
        times = measure(problem, training, not_done=[], short=arguments.short)
        measured.append((problem, training, times))
        rows += rows_of(problem, training, times)
        for row in rows[-len(times) :]:
            print(*row.values(), sep="\t", flush=True)
    if arguments.fit:
        print(*fitted(measured), sep="\n")
        return
    values = regrets(measured)
    print(f"regret: {np.exp(np.mean(np.log(values))):.2f} in the geometric mean, {max(values):.2f} at worst")
    write_csv("contraction", rows, device=backends.device(), short=arguments.short)


if __name__ == "__main__":
    main()
