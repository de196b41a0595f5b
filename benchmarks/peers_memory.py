"""The memory that a lambda layer takes beside those of two peers in torch and the paper's listing in TensorFlow.

    python -m benchmarks.peers_memory            the maps of a ResNet at 224 pixels, batch 8
    python -m benchmarks.peers_memory --short    of these, 14×14 under scope 23
    python -m benchmarks.peers_memory --full     every map, batch 8 and 32

needs the `backends` extra and writes results/peers_memory.csv: by how much the peak of a process of its own rises when
it runs a step of `benchmarks.peers`, whose graph and weights it has already. What `torch.compile` compiles is left out:
the compiler takes more than the step. So is batch 1, which takes next to nothing.
"""

import json
import subprocess
import sys

from benchmarks.grid import cells, rows_of_cell
from benchmarks.process_memory import PEAK, RESIDENT, forget_peak, memory
from benchmarks.timing import options, write_csv

SHORT_CELL = ((14, 14), 23)


def run_alone(name, cell):
    """Prints by how many bytes a step of an implementation raises the memory of this process."""
    from benchmarks.peers import steps

    step = steps(*cell)[name]()
    forget_peak()
    before = memory(RESIDENT)
    step()
    step()
    print(memory(PEAK) - before)


def measure(name, cell):
    """What `run_alone` prints in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peers_memory", "--alone", name, json.dumps(cell)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main():
    """Measures each in a process, prints, writes."""
    parser = options(__doc__)
    parser.add_argument("--full", action="store_true", help="every map, batch 8 and 32")
    parser.add_argument("--alone", nargs=2, metavar=("NAME", "CELL"), help="measure one in this process")
    arguments = parser.parse_args()
    if arguments.alone:
        name, cell = arguments.alone
        run_alone(name, json.loads(cell))
        return
    from benchmarks.peers import OURS, steps

    rows = []
    for grid, channels, batch, scope in cells(arguments.full):
        if batch == 1 or (arguments.short and (grid, scope) != SHORT_CELL):
            continue
        for training in (False, True):
            cell = (grid, channels, batch, scope, training)
            megabytes = {name: measure(name, cell) / 1e6 for name in steps(*cell)}
            rows += rows_of_cell(*cell, ("megabytes", "{:.1f}"), megabytes, OURS)
    write_csv("peers_memory", rows, short=arguments.short)


if __name__ == "__main__":
    main()
