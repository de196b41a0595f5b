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


def interleaved_medians(functions, rounds=7, settle=False):
    """Median seconds of each function, measured by turns so that all meet the same machine.

    Args:
        functions: A dict of functions without arguments. Each is called once before, unmeasured.
        rounds: How often each is measured.
        settle: Whether a turn begins with a call that is not measured. The threads of torch wait busily for some
            milliseconds after their work, which would count as the time of the next function.

    Returns:
        A dict of seconds.
    """
    seconds = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            if settle:
                function()
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


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
    packages = [package for package in ("keras", "tensorflow", "torch", "timm") if package in installed]
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
