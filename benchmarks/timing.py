"""Timing of functions side by side, and the CSV that it ends in."""

import csv
import datetime
import importlib.metadata
import os
import pathlib
import platform
import statistics
import time

RESULTS = pathlib.Path(__file__).parent / "results"


# Seconds that a measurement takes at most, if that leaves enough rounds.
BUDGET = 10
FEWEST_ROUNDS = 3
# The threads of torch wait busily for some milliseconds after their work. Beside longer calls it does not matter.
SETTLED_SECONDS = 0.1


def interleaved_medians(functions, rounds=7, settle=False):
    """Median seconds of each function, measured by turns so that all meet the same machine.

    Args:
        functions: A dict of functions without arguments. Each is called once before, unmeasured.
        rounds: How often each is measured, if that takes no longer than `BUDGET`.
        settle: Whether the turn of a short function begins with a call that is not measured, for the threads of the
            one before to end.

    Returns:
        A dict of seconds.
    """
    for function in functions.values():
        function()
    first = {name: _seconds(function) for name, function in functions.items()}
    settling = {name for name, value in first.items() if settle and value < SETTLED_SECONDS}
    seconds = {name: [] for name in functions}
    for _ in range(max(FEWEST_ROUNDS, min(rounds, round(BUDGET / sum(first.values()))))):
        for name, function in functions.items():
            if name in settling:
                function()
            seconds[name].append(_seconds(function))
    return {name: statistics.median(values) for name, values in seconds.items()}


def _seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# What decides how fast something is.
PACKAGES = ("keras", "tensorflow", "jax", "torch", "timm", "ai-edge-litert", "openvino")
# Instructions that decide how fast matrix products and convolutions are.
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_tile")


def cpu_model():
    """Name, model number and the instructions of `FLAGS` of this machine's CPU."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = [flag for flag in FLAGS if flag in fields.get("flags", "").split()]
    return f"{fields.get('model name', platform.machine())} model {fields.get('model', '?')} ({' '.join(flags)})"


def write_csv(name, rows):
    """Writes rows, dicts with the same keys, to `results/<name>.csv` with versions, device and date in each."""
    installed = {distribution.name for distribution in importlib.metadata.distributions()}
    packages = [package for package in PACKAGES if package in installed]
    versions = " ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    device = f"{cpu_model()}, {os.cpu_count()} cores"
    origin = {"versions": versions, "device": device, "date": datetime.date.today().isoformat()}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with open(path.with_suffix(".tmp"), "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *origin], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **origin} for row in rows)
    os.replace(path.with_suffix(".tmp"), path)
    print(f"Wrote {path}")
