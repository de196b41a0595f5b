"""Timing of functions side by side, its short form, and the CSV that it ends in."""

import argparse
import csv
import datetime
import importlib.metadata
import os
import pathlib
import platform
import statistics
import time

RESULTS = pathlib.Path(__file__).parent / "results"

# Seconds that a measurement takes at most, if that leaves enough rounds; in the short form, for `make bench`.
BUDGET, SHORT_BUDGET = 10, 1
FEWEST_ROUNDS = 3
# The threads of torch wait busily for some milliseconds after their work. Beside longer calls it does not matter.
SETTLED_SECONDS = 0.1


def options(description):
    """The parser of a script that has a short form.

    Args:
        description: The docstring of the script.

    Returns:
        An `ArgumentParser` with `--short`, which the script hands to what it measures and to `write_csv`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a part of it, in about a minute, as `make bench` does")
    return parser


def interleaved_medians(functions, rounds=7, settle=False, short=False):
    """Median seconds of each function, measured by turns so that all meet the same machine.

    Args:
        functions: A dict of functions without arguments. Each is called once before, unmeasured.
        rounds: How often each is measured, if that takes no longer than `BUDGET`, or `SHORT_BUDGET` in the short form.
        settle: Whether the turn of a short function begins with a call that is not measured, for the threads of the
            one before to end.
        short: Whether this is the short form.

    Returns:
        A dict of seconds.
    """
    for function in functions.values():
        function()
    first = {name: _seconds(function) for name, function in functions.items()}
    settling = {name for name, value in first.items() if settle and value < SETTLED_SECONDS}
    seconds = {name: [] for name in functions}
    affordable = round((SHORT_BUDGET if short else BUDGET) / sum(first.values()))
    for _ in range(max(FEWEST_ROUNDS, min(rounds, affordable))):
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
# The last columns of a file, of which `form` is there where rows are of the short form.
ORIGIN = ("versions", "device", "date", "form")
# How the device began when it did not name the CPU: nobody can say whether it was another one.
UNNAMED = "x86_64, "
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


def this_machine():
    """What the column `device` says of this machine: its CPU and the number of cores."""
    return f"{cpu_model()}, {os.cpu_count()} cores"


def read(path):
    """Rows of a CSV file as dicts."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def by_device(rows):
    """Lists of the rows that belong together: those of each device, and of each form, in the order of the file."""
    found = {}
    for row in rows:
        found.setdefault((row["device"], row.get("form")), []).append(row)
    return list(found.values())


def write_csv(name, rows, device=None, short=False, replace_all=False):
    """Writes rows to `results/<name>.csv` with versions, device and date in each.

    The rows that the file has of other devices stay, those of the same device give way. Rows of the short form say so
    in the column `form`, and only such rows give way to them.

    Args:
        name: Of the file.
        rows: Dicts with the same keys.
        device: What the rows were measured on; by default `this_machine()`.
        short: Whether they were measured in the short form.
        replace_all: Whether the rows of other devices give way too, because these depend on no device.
    """
    installed = {distribution.name for distribution in importlib.metadata.distributions()}
    packages = [package for package in PACKAGES if package in installed]
    versions = " ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    device = device or this_machine()
    origin = {"versions": versions, "device": device, "date": datetime.date.today().isoformat()}
    if short:
        origin["form"] = "short"
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    old = read(path) if path.exists() and not replace_all else []
    all_rows = [row for row in old if not _gives_way(row, device, short)] + [{**row, **origin} for row in rows]
    # Files of another version have other columns; those of the origin are the last.
    columns = dict.fromkeys(column for row in [*rows, *all_rows] for column in row if column not in ORIGIN)
    columns = [*columns, *(column for column in ORIGIN if any(column in row for row in all_rows))]
    with open(path.with_suffix(".tmp"), "w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(all_rows)
    os.replace(path.with_suffix(".tmp"), path)
    print(f"Wrote {path}")


def _gives_way(row, device, short):
    """Whether a row of the file is replaced by new ones."""
    if short:
        return row["device"] == device and row.get("form") == "short"
    return row["device"] == device or row["device"].startswith(UNNAMED)
