"""Times every order of contraction at the shapes of a ResNet-50, and what `plan` picks.

    python -m benchmarks.contraction

writes results/contraction.csv and results/contraction.png. Figures are seconds of the position part of one layer
(queries, values and table given), float32, batch 8, in one `tf.function` without XLA.
"""

import time

import numpy as np
import tensorflow as tf

from benchmarks.timing import RESULTS, interleaved_medians, write_csv
from lambda_keras.layers.chunks import Operands
from lambda_keras.layers.contraction import contract
from lambda_keras.layers.contraction_plan import DENSE_ORDERS, ORDERS, Depths, Plan, plan
from lambda_keras.layers.grids import Grids

BATCH, HEADS, KEY_DIM = 8, 4, 16
# side of the map and value depth, as in stages c5, c4, c3 and c2 at 224 pixels
SHAPES = ((7, 128), (14, 64), (28, 32), (56, 16))
SCOPES = (None, 23, 7, 3)
# Longer than this and an order is not measured again: it has lost.
TOO_LONG = 2.0


def measure(side, value_dim, scope, training):
    """Rows of one problem: the seconds of each order, and of the chunks that the plan would take."""
    grids, depths = Grids((side, side), (side, side)), Depths(HEADS, KEY_DIM, value_dim)
    sides = (2 * side - 1,) * 2 if scope is None else (scope, scope)
    problem = {"scope_size": scope and (scope, scope), "batch": BATCH}
    chosen = plan(grids, depths, **problem)
    n, _ = grids.positions
    rng = np.random.default_rng(0)
    shapes = ((BATCH, n, HEADS, KEY_DIM), (BATCH, n, 1, value_dim), (*sides, KEY_DIM, 1))
    tensors = [tf.constant(rng.normal(size=shape), "float32") for shape in shapes]

    def step(candidate):
        @tf.function
        def forward(queries, values, table):
            return contract(Operands(queries, values, table=table), grids, candidate)

        @tf.function
        def forward_and_backward(queries, values, table):
            with tf.GradientTape() as tape:
                tape.watch((queries, values, table))
                outputs = contract(Operands(queries, values, table=table), grids, candidate)
            return tape.gradient(outputs, (queries, values, table))

        function = forward_and_backward if training else forward
        return lambda: [tensor.numpy() for tensor in tf.nest.flatten(function(*tensors))]

    orders = ORDERS if scope else DENSE_ORDERS
    candidates = {order: plan(grids, depths, implementation=order, **problem) for order in orders}
    if side <= 28:  # More would take gigabytes.
        candidates |= {f"{order}, all at once": Plan(order) for order in DENSE_ORDERS}
    candidates["plan"] = chosen
    functions = {name: step(candidate) for name, candidate in candidates.items()}
    functions = {name: function for name, function in functions.items() if _is_bearable(function)}
    seconds = interleaved_medians(functions, rounds=5)
    best = min(seconds.values())
    return [
        {
            "side": side,
            "value_dim": value_dim,
            "scope_size": scope or "global",
            "mode": "training" if training else "inference",
            "order": f"plan: {chosen.order}" if name == "plan" else name,
            "seconds": f"{seconds[name]:.4f}",
            "ratio_to_best": f"{seconds[name] / best:.2f}",
        }
        for name in functions
    ]


def _is_bearable(function):
    function()
    start = time.perf_counter()
    function()
    return time.perf_counter() - start < TOO_LONG


def plot(rows):
    """Bars of every order, relative to the best of its problem."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, len(SHAPES), figsize=(20, 11))
    for panel_row, mode in zip(panels, ("inference", "training"), strict=True):
        for axes, (side, _) in zip(panel_row, SHAPES, strict=True):
            chosen = [row for row in rows if (row["side"], row["mode"]) == (side, mode)]
            labels = [f"{row['scope_size']}: {row['order']}" for row in chosen]
            colours = ["#d95f02" if row["order"].startswith("plan") else "#7570b3" for row in chosen]
            axes.barh(labels, [min(float(row["ratio_to_best"]), 10) for row in chosen], color=colours)
            axes.set_title(f"{side}×{side}, {mode}", fontsize=10)
            axes.axvline(1, color="black", linewidth=0.8)
            axes.tick_params(labelsize=6)
            axes.set_xlabel("time ÷ best (cut at 10)", fontsize=7)
    figure.tight_layout()
    figure.savefig(RESULTS / "contraction.png", dpi=110)


def main():
    """Measures, prints, writes."""
    rows = []
    for side, value_dim in SHAPES:
        for scope in SCOPES:
            for training in (False, True):
                for row in measure(side, value_dim, scope, training):
                    rows.append(row)
                    print(*row.values(), sep="\t", flush=True)
    write_csv("contraction", rows)
    plot(rows)


if __name__ == "__main__":
    main()
