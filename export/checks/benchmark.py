"""How long artifacts take for batches of several sizes, measured by turns; a table, a CSV file and a plot of it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.checks.runner import ModelRunner, Runner, check_images, seconds_by_turns, start
from lambda_keras.export.files import put_files, scratch_folder, temporary_folder, write_array
from lambda_keras.zoo.command_line import print_table
from lambda_keras.zoo.data.files import csv_cells
from lambda_keras.zoo.errors import UserError

CSV = "benchmark.csv"
PLOT = "benchmark.png"
CLIENTS_CSV = "clients.csv"
CLIENTS_PLOT = "clients.png"
# So many rounds say something of the slowest in a hundred.
ROUNDS = 100


@dataclass(frozen=True)
class Measurement:
    """The latency of one artifact at one batch size.

    Attributes:
        name: The artifact's, or the model's.
        batch_size: Images in a batch.
        p50_seconds: The median for a batch.
        p90_seconds: What 90 % of the batches took at most.
        p99_seconds: What 99 % of them took at most.
        images_per_second: The throughput of one batch after the other, of the median.
        rounds: How often it was measured.
    """

    name: str
    batch_size: int
    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
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
        images = {runner: write_images(folder, runner, max(batch_sizes), image_size) for runner in runners}
        return [row for batch_size in batch_sizes for row in _measure(images, batch_size)]


def _measure(images: dict[Runner, Path], batch_size: int) -> list[Measurement]:
    runners = [runner for runner in images if runner.shape[0] in (None, batch_size)]
    calls = [lambda runner=runner: runner.run(images[runner], 0, batch_size)[1] for runner in runners]
    try:
        measured = seconds_by_turns(calls, ROUNDS)
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise UserError(_too_large(batch_size)) from error
    rows = []
    for runner, seconds in zip(runners, measured, strict=True):
        p50, p90, p99 = percentiles(seconds)
        rows.append(Measurement(runner.name, batch_size, p50, p90, p99, batch_size / p50, len(seconds)))
    return rows


def percentiles(seconds: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """The median, and what 90 % and 99 % of the values are at most.

    Example:
        >>> percentiles(list(range(101)))
        (50.0, 90.0, 99.0)
    """
    p50, p90, p99 = np.percentile(seconds, [50, 90, 99])
    return float(p50), float(p90), float(p99)


def write_images(folder: Path, runner: Runner, count: int, image_size: int | None) -> Path:
    """Writes random images of the size that a runner takes, once for each size.

    Args:
        folder: Where to.
        runner: The model or an artifact.
        count: How many images.
        image_size: Side of the images in pixels, where it is free.

    Raises:
        UserError: The runner does not take images of `image_size`, or takes any size and there is none; or they do not
            fit into memory.
    """
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
    header = "artifact", "batch", "p50", "p90", "p99", "images/s", "rounds"
    rows = [
        (
            row.name,
            str(row.batch_size),
            *milliseconds(row.p50_seconds, row.p90_seconds, row.p99_seconds),
            f"{row.images_per_second:.1f}",
            str(row.rounds),
        )
        for row in measurements
    ]
    print_table(header, rows, right=range(1, len(header)))


def milliseconds(*seconds: float) -> list[str]:
    """Times for people."""
    return [f"{value * 1e3:.2f} ms" for value in seconds]


def check_out(folder: Path) -> None:
    """Makes the folder for the files of a benchmark, before anything is measured.

    Raises:
        UserError: It cannot be made or written to, or a folder has the name of one of the files.
    """
    with scratch_folder(folder):
        for name in (CSV, PLOT, CLIENTS_CSV, CLIENTS_PLOT):
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
    put_files(folder, {CSV: csv_of(measurements), PLOT: _plot(measurements)})


def csv_of(rows: Sequence[Any]) -> bytes:
    """The rows, at least one instance of a dataclass, as a CSV file."""
    text = io.StringIO()
    values = [asdict(row) for row in rows]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(values[0])
    writer.writerows(csv_cells.neutral(row.values()) for row in values)
    return text.getvalue().encode()


def _plot(measurements: list[Measurement]) -> bytes:
    """Draws latency and throughput against the batch size, a line for each artifact."""
    plot = TwoPlots("images in a batch", sorted({row.batch_size for row in measurements}), "ms for a batch")
    for name in dict.fromkeys(row.name for row in measurements):
        rows = [row for row in measurements if row.name == name]
        batch_sizes = [row.batch_size for row in rows]
        plot.add(name, batch_sizes, [(row.p50_seconds, row.p99_seconds, row.images_per_second) for row in rows])
    return plot.png()


class TwoPlots:
    """Latency on the left and throughput on the right, against the same number.

    Args:
        label: What the number is.
        ticks: Its values.
        latency: What takes the time.
    """

    def __init__(self, label: str, ticks: Sequence[int], latency: str):
        from matplotlib.figure import Figure

        self._figure = Figure(figsize=(12, 4.5), dpi=120, layout="constrained")
        self._latency, self._throughput = self._figure.subplots(1, 2)
        self._latency.set_ylabel(f"{latency}: median, shaded up to p99")
        self._throughput.set_ylabel("images per second")
        for axes in (self._latency, self._throughput):
            axes.set_xscale("log", base=2)
            axes.set_xticks(ticks, ticks)
            axes.set_xlabel(label)
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)

    def add(
        self, name: str, numbers: Sequence[int], values: Sequence[tuple[float, float, float]], style: str = "o-"
    ) -> None:
        """Adds a line to each.

        Args:
            name: For the legend.
            numbers: Where its points are.
            values: Of each point the median and p99 in seconds, and the images per second.
            style: Of the line, as matplotlib takes it.
        """
        median, p99, throughput = zip(*values, strict=True)
        in_milliseconds = [value * 1e3 for value in median]
        (line,) = self._latency.plot(numbers, in_milliseconds, style, label=name)
        p99_in_milliseconds = [value * 1e3 for value in p99]
        self._latency.fill_between(numbers, in_milliseconds, p99_in_milliseconds, color=line.get_color(), alpha=0.12)
        self._throughput.plot(numbers, throughput, style, color=line.get_color())

    def png(self) -> bytes:
        """The picture's file."""
        for axes in (self._latency, self._throughput):
            axes.set_ylim(bottom=0)
        self._figure.legend(loc="outside right upper", frameon=False)
        file = io.BytesIO()
        self._figure.savefig(file, format="png")
        return file.getvalue()
