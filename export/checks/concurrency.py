"""How long requests take where several clients ask a SavedModel at the same time, one by one and in batches."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lambda_keras.export.checks.artifact import SAVED_MODEL, Artifact
from lambda_keras.export.checks.benchmark import (
    CLIENTS_CSV,
    CLIENTS_PLOT,
    TwoPlots,
    csv_of,
    milliseconds,
    percentiles,
    write_images,
)
from lambda_keras.export.checks.runner import ArtifactRunner, start
from lambda_keras.export.files import put_files, temporary_folder
from lambda_keras.export.serving.batching import Batching
from lambda_keras.zoo.command_line import print_table
from lambda_keras.zoo.errors import UserError

SECONDS = 2.0


@dataclass(frozen=True)
class Concurrency:
    """What clients of one artifact met.

    Attributes:
        name: The artifact's.
        clients: How many asked at the same time, each for one image after the other.
        max_batch_size: How many requests ran as one batch, at most; 1 where each ran by itself.
        p50_seconds: The median of a request.
        p90_seconds: What 90 % of the requests took at most.
        p99_seconds: What 99 % of them took at most.
        images_per_second: What all clients got together.
        requests: How many were answered.
    """

    name: str
    clients: int
    max_batch_size: int
    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
    images_per_second: float
    requests: int


def servable(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """The SavedModels among artifacts.

    Raises:
        UserError: There is none.
    """
    saved_models = [artifact for artifact in artifacts if artifact.kind == SAVED_MODEL]
    if not saved_models:
        raise UserError(
            f"--clients ask SavedModels as those of a server do, got {', '.join(map(str, artifacts))}; "
            "add one, or leave out --clients"
        )
    return saved_models


def ask_together(
    artifacts: Sequence[Artifact],
    clients: Sequence[int],
    image_size: int | None = None,
    seconds: float = SECONDS,
) -> list[Concurrency]:
    """Lets clients ask SavedModels, in a fresh process without keras.

    Args:
        artifacts: SavedModels, as `servable` returns them.
        clients: How many at the same time; each number is measured.
        image_size: Side of the images in pixels, where it is free.
        seconds: How long each measurement takes.

    Returns:
        By artifact and number of clients, first each request by itself, then with batches as
        `lambda_keras.export.serving.batching.Batching` has them.

    Raises:
        UserError: One does not run, or it does not take images of `image_size`.
    """
    batching = dataclasses.asdict(Batching())
    del batching["max_enqueued_batches"]  # Clients that wait for their answers are fewer.
    rows = []
    with temporary_folder() as folder, start(artifacts) as runners:
        for runner in runners:
            images = write_images(folder, runner, 2 * max(clients), image_size)
            for number in clients:
                for chosen in (None, batching):
                    rows.append(_row(runner, images, number, seconds, chosen))
    return rows


def _row(
    runner: ArtifactRunner, images: Path, clients: int, seconds: float, batching: dict[str, int] | None
) -> Concurrency:
    latencies, passed = runner.ask(images, clients, seconds, batching)
    most = batching["max_batch_size"] if batching else 1
    return Concurrency(runner.name, clients, most, *percentiles(latencies), len(latencies) / passed, len(latencies))


def print_concurrency(rows: list[Concurrency]) -> None:
    """Prints a table."""
    header = "artifact", "clients", "batches", "p50", "p90", "p99", "images/s", "requests"
    cells = [
        (
            row.name,
            str(row.clients),
            "none" if row.max_batch_size == 1 else f"up to {row.max_batch_size}",
            *milliseconds(row.p50_seconds, row.p90_seconds, row.p99_seconds),
            f"{row.images_per_second:.1f}",
            str(row.requests),
        )
        for row in rows
    ]
    print_table(header, cells, right=range(1, len(header)))


def write_concurrency(folder: Path, rows: list[Concurrency]) -> None:
    """Writes `clients.csv` and `clients.png` into `folder`, each beside and renamed.

    Args:
        folder: Made if it is missing.
        rows: At least one.

    Raises:
        UserError: `folder` or a file in it cannot be written.
    """
    plot = TwoPlots("clients at the same time", sorted({row.clients for row in rows}), "ms for a request")
    for name, most in dict.fromkeys((row.name, row.max_batch_size) for row in rows):
        of_it = [row for row in rows if (row.name, row.max_batch_size) == (name, most)]
        plot.add(
            name if most == 1 else f"{name}, batches up to {most}",
            [row.clients for row in of_it],
            [(row.p50_seconds, row.p99_seconds, row.images_per_second) for row in of_it],
            "o-" if most == 1 else "s--",
        )
    put_files(folder, {CLIENTS_CSV: csv_of(rows), CLIENTS_PLOT: plot.png()})
