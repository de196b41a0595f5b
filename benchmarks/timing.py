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


def interleaved_medians(functions, rounds=7):
    """Median seconds of each function, measured by turns so that all meet the same machine.

    Args:
        functions: A dict of functions without arguments. Each is called once before, unmeasured.
        rounds: How often each is measured.

    Returns:
        A dict of seconds.
    """
    seconds = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def write_csv(name, rows):
    """Writes rows, dicts with the same keys, to `results/<name>.csv` with versions, device and date in each."""
    versions = " ".join(f"{package} {importlib.metadata.version(package)}" for package in ("keras", "tensorflow"))
    device = f"{platform.machine()}, {os.cpu_count()} cores"
    origin = {"versions": versions, "device": device, "date": datetime.date.today().isoformat()}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with open(path.with_suffix(".tmp"), "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *origin], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **origin} for row in rows)
    os.replace(path.with_suffix(".tmp"), path)
    print(f"Wrote {path}")
