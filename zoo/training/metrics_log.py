"""`metrics.csv`: a row after every epoch, which outlives the process."""

import csv
import math
from pathlib import Path
from typing import Any

from lambda_keras.atomic import replacing
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training.task import Task

# What every task has beside its own columns, before and after them.
NUMBER = "epoch"
TIMES = ("learning_rate", "seconds", "images_per_second", "unreadable_images")


class MetricsLog:
    """The rows of a run.

    Of a classifier `loss` and `accuracy` are means over the epoch's training steps, on augmented images; `val_loss` and
    `val_accuracy` are of the validation images after the epoch, of the averaged weights where there are such. Both
    losses include label smoothing. `learning_rate` is that of the next step. `seconds` is the time of the training
    steps, without the validation (the first epoch includes the tracing of the graph); in an epoch that was resumed it
    covers the steps since then, and is empty if there were none. `unreadable_images` were replaced by others.

    Args:
        path: The CSV file. Rows that it holds are read.
        task: The `lambda_keras.zoo.training.task.Task`, or its class, that has the columns and says which is the best.
        epochs: How many of its rows to keep: those of the epochs that the resumed checkpoint has finished; `None` for
            all.

    Attributes:
        rows: A dictionary with the keys `columns` for each epoch.
        columns: The first line of the file.
    """

    def __init__(self, path: Path, task: Task[Any] | type[Task[Any]], epochs: int | None = 0):
        self.path = path
        self.columns = (NUMBER, *task.columns, *TIMES)
        self._best_by = task.best_by
        self.rows = self._read()[:epochs] if path.exists() else []

    def add(self, epoch: int, **values: float | None) -> None:
        """Adds a row.

        Args:
            epoch: Its number, from 1.
            **values: A number for each other of `columns`, or `None`; they are rounded to six digits.
        """
        rounded = {name: None if value is None else float(f"{value:.6g}") for name, value in values.items()}
        self.rows.append({"epoch": epoch, **rounded})

    def write(self) -> None:
        """Writes all rows to the file."""
        with replacing(self.path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(self.rows)

    def best_epoch(self) -> int:
        """The first epoch with the highest value of the column that counts; one without a value is the worst."""

        def rank(row):
            value = row[self._best_by]
            return -math.inf if value is None else value, -row[NUMBER]

        return max(self.rows, key=rank)[NUMBER]

    def epochs_without_progress(self) -> int:
        """Epochs since the best one; 0 while there is none."""
        return self.rows[-1][NUMBER] - self.best_epoch() if self.rows else 0

    def _read(self):
        try:
            with open(self.path, newline="", encoding="utf-8") as file:
                rows = [_numbers(row, self.columns) for row in csv.DictReader(file)]
        except (ValueError, TypeError, OverflowError, csv.Error) as error:
            raise UserError(
                f"{self.path} is damaged: a row has a number for each of {', '.join(self.columns)}, but {error}; mend "
                "or remove the row, or give another folder with --out to start anew"
            ) from error
        return rows


def _numbers(row, columns):
    if set(row) != set(columns) or None in row.values():
        raise ValueError(f"got {list(row.values())}")
    numbers = {name: float(value) if value else None for name, value in row.items()}
    return {**numbers, NUMBER: int(float(row[NUMBER]))}
