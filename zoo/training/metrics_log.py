"""`metrics.csv`: a row after every epoch, which outlives the process."""

import csv
from pathlib import Path

from lambda_keras.atomic import replacing
from lambda_keras.zoo.errors import UserError

COLUMNS = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
    "images_per_second",
    "unreadable_images",
)


class MetricsLog:
    """The rows of a run.

    `loss` and `accuracy` are means over the epoch's training steps, on augmented images; `val_loss` and
    `val_accuracy` are of the validation images after the epoch, of the averaged weights where there are such. Both
    losses include label smoothing. `learning_rate` is that of the next step. `seconds` is the time of the training
    steps, without the validation (the first epoch includes the tracing of the graph); in an epoch that was resumed it
    covers the steps since then, and is empty if there were none. `unreadable_images` were replaced by others.

    Args:
        path: The CSV file. Rows that it holds are read.
        epochs: How many of its rows to keep: those of the epochs that the resumed checkpoint has finished; `None` for
            all.

    Attributes:
        rows: A dictionary with the keys `COLUMNS` for each epoch.
    """

    def __init__(self, path: Path, epochs: int | None = 0):
        self.path = path
        self.rows = _read(path)[:epochs] if path.exists() else []

    def add(self, epoch: int, **values: float | None) -> None:
        """Adds a row.

        Args:
            epoch: Its number, from 1.
            **values: A number for each other of `COLUMNS`, or `None`; they are rounded to six digits.
        """
        rounded = {name: None if value is None else float(f"{value:.6g}") for name, value in values.items()}
        self.rows.append({"epoch": epoch, **rounded})

    def write(self) -> None:
        """Writes all rows to the file."""
        with replacing(self.path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def best_epoch(self) -> int:
        """The first epoch with the highest validation accuracy."""
        return max(self.rows, key=lambda row: (row["val_accuracy"], -row["epoch"]))["epoch"]

    def epochs_without_progress(self) -> int:
        """Epochs since the best one; 0 while there is none."""
        return self.rows[-1]["epoch"] - self.best_epoch() if self.rows else 0


def _read(path):
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [_numbers(row) for row in csv.DictReader(file)]
    except (ValueError, TypeError, OverflowError, csv.Error) as error:
        raise UserError(
            f"{path} is damaged: a row has a number for each of {', '.join(COLUMNS)}, but {error}; mend or remove the "
            "row, or give another folder with --out to start anew"
        ) from error
    return rows


def _numbers(row):
    if set(row) != set(COLUMNS) or None in row.values():
        raise ValueError(f"got {list(row.values())}")
    numbers = {name: float(value) if value else None for name, value in row.items()}
    return {**numbers, "epoch": int(float(row["epoch"]))}
