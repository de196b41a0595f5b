"""How long artifacts take for batches of several sizes, measured by turns; a table, a CSV file and a plot of it."""

import csv
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.checks.runner import ModelRunner, Runner, check_images, median_seconds, start
from lambda_keras.export.files import scratch_folder, temporary_folder, write_array
from lambda_keras.zoo.command_line import print_table
from lambda_keras.zoo.data import csv_cells
from lambda_keras.zoo.errors import UserError, writing

CSV = "benchmark.csv"
PLOT = "benchmark.png"


@dataclass(frozen=True)
class Measurement:
    """The latency of one artifact at one batch size.

    Attributes:
        name: The artifact's, or the model's.
        batch_size: Images in a batch.
        latency_seconds: The median for a batch.
        images_per_second: The throughput of one batch after the other.
        rounds: How often it was measured.
    """

    name: str
    batch_size: int
    latency_seconds: float
    images_per_second: float
    rounds: int


def benchmark(
    artifacts: Sequence[Artifact],
    batch_sizes: Sequence[int],
    image_size: int | None = None,
    original: ModelRunner | None = None,
) -> list[Measurement]:
    """Measures artifacts, in fresh processes without keras, with images of random values.

    Args:
        artifacts: What to measure.
        batch_sizes: Images in a batch. An artifact with batches of a fixed size is measured at this size alone.
        image_size: Side of the images in pixels, where it is free.
        original: The model, to be measured beside them.

    Returns:
        By batch size, those measured in the same rounds; within these in the order of `artifacts`, the model first.

    Raises:
        UserError: An artifact does not run, has a fixed batch of another size than all of `batch_sizes`, or does not
            take images of `image_size`, or takes any size and there is none; or a batch does not fit into memory.
    """
    with temporary_folder() as folder, start(artifacts) as strangers:
        runners: list[Runner] = [original, *strangers] if original else [*strangers]
        for runner in runners:
            if runner.shape[0] not in (None, *batch_sizes):
                raise UserError(
                    f"{runner.name} takes batches of {runner.shape[0]} only, got --batch-sizes "
                    f"{','.join(map(str, batch_sizes))}; add {runner.shape[0]}"
                )
        images = {runner: _write_images(folder, runner, max(batch_sizes), image_size) for runner in runners}
        return [row for batch_size in batch_sizes for row in _measure(images, batch_size)]


def _measure(images: dict[Runner, Path], batch_size: int) -> list[Measurement]:
    runners = [runner for runner in images if runner.shape[0] in (None, batch_size)]
    calls = [lambda runner=runner: runner.run(images[runner], 0, batch_size)[1] for runner in runners]
    try:
        medians, rounds = median_seconds(calls)
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise UserError(_too_large(batch_size)) from error
    return [
        Measurement(runner.name, batch_size, seconds, batch_size / seconds, rounds)
        for runner, seconds in zip(runners, medians, strict=True)
    ]


def _write_images(folder: Path, runner: Runner, count: int, image_size: int | None) -> Path:
    """Writes random images of the size that a runner takes, once for each size."""
    shape = [image_size or side for side in runner.shape[1:3]] + runner.shape[3:]
    if None in shape:
        raise UserError(f"{runner.name} takes images of any size; give one with --image-size")
    check_images(runner, shape)
    path = folder / f"{shape}.npy"
    if not path.exists():
        try:
            images = np.random.default_rng(0).standard_normal((count, *shape), "float32")
        except (MemoryError, ValueError, OverflowError) as error:  # the latter two beyond what an index can be
            raise UserError(_too_large(count)) from error
        write_array(path, images.shape, "float32", [images])
    return path


def _too_large(batch_size: int) -> str:
    return f"a batch of {batch_size} images does not fit into memory; give smaller --batch-sizes"


def print_measurements(measurements: list[Measurement]) -> None:
    """Prints a table."""
    header = "artifact", "batch", "latency", "images/s", "rounds"
    rows = [
        (
            row.name,
            str(row.batch_size),
            f"{row.latency_seconds * 1e3:.2f} ms",
            f"{row.images_per_second:.1f}",
            str(row.rounds),
        )
        for row in measurements
    ]
    print_table(header, rows, right=range(1, len(header)))


def check_out(folder: Path) -> None:
    """Makes the folder for the files of a benchmark, before anything is measured.

    Raises:
        UserError: It cannot be made or written to, or a folder has the name of one of the files.
    """
    with scratch_folder(folder):
        for name in (CSV, PLOT):
            if (folder / name).is_dir():
                raise UserError(f"cannot write {folder / name}: it is a folder; remove it, or give another --out")


def write_benchmark(folder: Path, measurements: list[Measurement]) -> None:
    """Writes `benchmark.csv` and `benchmark.png` into `folder`, each beside and renamed.

    Args:
        folder: Made if it is missing.
        measurements: At least one.

    Raises:
        UserError: `folder` or a file in it cannot be written.
    """
    with scratch_folder(folder) as scratch:
        with open(scratch / CSV, "w", newline="", encoding="utf-8") as file:
            rows = [asdict(measurement) for measurement in measurements]
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(rows[0])
            writer.writerows(csv_cells.neutral(row.values()) for row in rows)
        _plot(measurements, scratch / PLOT)
        for name in (CSV, PLOT):
            with writing(folder / name, "; give another --out"):
                os.replace(scratch / name, folder / name)


def _plot(measurements: list[Measurement], path: Path) -> None:
    """Draws latency and throughput against the batch size, a line for each artifact."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), dpi=120, layout="constrained")
    latency, throughput = figure.subplots(1, 2)
    for name in dict.fromkeys(row.name for row in measurements):
        rows = [row for row in measurements if row.name == name]
        batch_sizes = [row.batch_size for row in rows]
        latency.plot(batch_sizes, [row.latency_seconds * 1e3 for row in rows], "o-", label=name)
        throughput.plot(batch_sizes, [row.images_per_second for row in rows], "o-")
    latency.set_ylabel("ms for a batch, median")
    throughput.set_ylabel("images per second")
    ticks = sorted({row.batch_size for row in measurements})
    for axes in (latency, throughput):
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, ticks)
        axes.set_xlabel("images in a batch")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path)
