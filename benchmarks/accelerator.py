"""Times layers and networks on a GPU or TPU, beside others that do the same, and fits the costs of the plan.

    KERAS_BACKEND=jax python -m benchmarks.accelerator
    KERAS_BACKEND=torch python -m benchmarks.accelerator --full

needs no TensorFlow, unless it is the backend. On the device that the backend uses it measures

1. the layers of `benchmarks.grid`: in the order that the plan picks (`auto`) and in every other, beside timm's and
   lucidrains' layers in torch;
2. the pairs of `benchmarks.pairs`: LambdaResNets beside EfficientNets, in float32 and bfloat16;
3. what `benchmarks.contraction` fits the plan's costs to.

It writes results/accelerator_<backend>.csv and .png. The costs, and what was not done and why, are printed at the end
and written to results/accelerator_<backend>.txt: a function that takes too much memory, a package that is not there.
Without an accelerator it measures the CPU, which takes hours, and says so.
"""

import argparse
import os

# Of a GPU's memory jax and TensorFlow take most when they start; torch, in the same process, needs some too.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import keras

from benchmarks import backends, contraction, peers_here, steps
from benchmarks.attempts import attempt, medians
from benchmarks.grid import cells
from benchmarks.pairs import MODES, PAIRS, POLICIES, network
from benchmarks.timing import RESULTS, write_csv
from lambda_keras.layers import LambdaLayer
from lambda_keras.layers.contraction_plan import CONVOLUTIONS, DENSE_ORDERS

NAME = f"accelerator_{backends.BACKEND}"
# An accelerator has the memory for the embeddings of all pairs of larger maps.
LARGEST_GLOBAL = 64 * 64
# Images that a network takes at once: with 8, as on a CPU, an accelerator would wait for its host.
BATCH = 32
SHAPES_TO_FIT = 60


def row_of(part, problem, batch, mode, policy, name, seconds, ours):
    """A row of the CSV file for one of `seconds`, compared with `ours` if that could be run."""
    row = {
        "part": part,
        "problem": problem,
        "batch": batch,
        "mode": mode,
        "policy": policy,
        "implementation": name,
        "seconds": f"{seconds[name]:.6f}",
        "ratio_to_ours": f"{seconds[name] / seconds[ours]:.2f}" if ours in seconds else "",
    }
    print(*row.values(), sep="\t", flush=True)
    return row


def our_step(grid, channels, batch, scope, order, training):
    """What is timed of a layer of ours."""
    layer = LambdaLayer(scope_size=scope, implementation=order)
    images = keras.random.normal((batch, *grid, channels))
    layer.build(images.shape)
    return (steps.gradients if training else steps.inference)(layer, images)


def rows_of_layer(cell, training, compiles, peers, not_done):
    """Rows of a cell of the grid: the plan's order, the others and the peers."""
    grid, channels, batch, scope = cell
    orders = ("auto", *DENSE_ORDERS, *(CONVOLUTIONS if scope else ()))
    makers = {order: lambda order=order: our_step(*cell, order, training) for order in orders}
    makers |= peers_here.step_makers(peers, *cell, training, compiles)
    problem = f"{'×'.join(map(str, (*grid, channels)))}, scope {scope or 'global'}"
    mode = "training" if training else "inference"
    seconds = medians(makers, f"{problem}, batch {batch}, {mode}", not_done)
    return [row_of("layer", problem, batch, mode, "float32", name, seconds, ours="auto") for name in seconds]


def rows_of_pair(pair, policy, mode, batch, not_done):
    """Rows of both networks of a pair."""
    ours, size, other, other_size = pair
    makers = {
        name: lambda name=name, size=size: MODES[mode](network(name, size, policy), batch)
        for name, size in ((ours, size), (other, other_size))
    }
    problem = f"{ours}@{size}, {other}@{other_size}"
    seconds = medians(makers, f"{problem}, batch {batch}, {mode}, {policy}", not_done)
    return [row_of("pair", problem, batch, mode, policy, name, seconds, ours) for name in seconds]


def plot(rows):
    """Draws the time of everything over ours."""
    from benchmarks.plots import Plot, figure_of

    def dots(rows):
        for row in rows:
            if row["ratio_to_ours"]:
                problem = f"{row['problem']}, batch {row['batch']}, {row['mode']}"
                yield problem, f"{row['implementation']}, {row['policy']}", row["ratio_to_ours"]

    figure = figure_of(Plot(dots, "time of the implementation ÷ that of ours", is_ratio=True), [rows])
    figure.savefig(RESULTS / f"{NAME}.png", dpi=90)


def measure(cells, pairs, problems, compiles=False, batch=BATCH):
    """Measures, fits and writes.

    Args:
        cells: `(grid, channels, batch, scope)` of layers.
        pairs: `(pair, policy, mode)` of networks, as `benchmarks.pairs` has them.
        problems: `(problem, training)` to fit the costs to, as `benchmarks.contraction` draws them.
        compiles: Whether the layers in torch are also compiled by `torch.compile`.
        batch: Images that a network takes at once.
    """
    device = f"{backends.BACKEND} on {backends.device_name()}"
    not_done = [] if backends.is_accelerated() else ["an accelerator: none was found, all of this is of the CPU"]
    print(device, *not_done, sep="\n", flush=True)
    peers = attempt("timm and lucidrains", lambda: peers_here.find(not_done), not_done) or []
    rows = []
    for cell in cells:
        for training in (False, True):
            rows += rows_of_layer(cell, training, compiles, peers, not_done)
    # What comes next may be killed.
    if rows:
        write_csv(NAME, rows, device=backends.device())
    for pair, policy, mode in pairs:
        rows += rows_of_pair(pair, policy, mode, batch, not_done)
    if rows:
        write_csv(NAME, rows, device=backends.device())
        attempt("the plot", lambda: plot(rows), not_done)
    measured = [(problem, training, contraction.measure(problem, training, not_done)) for problem, training in problems]
    costs = attempt("the fit of the plan's costs", lambda: contraction.fitted(measured), not_done) or []
    lines = [device, *costs, "Not done:", *(f"- {line}" for line in not_done or ["nothing"])]
    print(*lines, sep="\n")
    (RESULTS / f"{NAME}.txt").write_text("\n".join([*lines, ""]))


def main():
    """Measures all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="every map and batch, and torch.compile of the peers")
    full = parser.parse_args().full
    pairs = [(pair, policy, mode) for pair in PAIRS for policy in POLICIES for mode in MODES]
    problems = contraction.draw(seed=1, count=SHAPES_TO_FIT)
    measure(cells(full, LARGEST_GLOBAL), pairs, problems, compiles=full)


if __name__ == "__main__":
    main()
