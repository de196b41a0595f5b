import csv

import pytest

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.metrics_log import MetricsLog

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


def add(log, *accuracies, **values):
    """Adds an epoch for each validation accuracy."""
    for accuracy in accuracies:
        row = {"loss": 2.5, "accuracy": 0.5, "val_loss": 1.25, "val_accuracy": accuracy, "learning_rate": 0.1}
        times = {"seconds": 4, "images_per_second": 250, "unreadable_images": 0}
        log.add(epoch=len(log.rows) + 1, **{**row, **times, **values})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.csv"


def test_the_file_has_a_row_for_each_epoch(path):
    log = MetricsLog(path, Classification)
    assert log.rows == []
    add(log, 0.25, 0.75)
    log.write()
    header, *rows = csv.reader(path.open(newline=""))
    assert tuple(header) == COLUMNS
    assert rows == [
        ["1", "2.5", "0.5", "1.25", "0.25", "0.1", "4.0", "250.0", "0.0"],
        ["2", "2.5", "0.5", "1.25", "0.75", "0.1", "4.0", "250.0", "0.0"],
    ]


def test_rows_survive_the_process(path):
    log = MetricsLog(path, Classification)
    add(log, 1 / 3, 0.75, loss=1234567.8)
    add(log, 0.5, seconds=None, images_per_second=None)
    log.write()
    again = MetricsLog(path, Classification, epochs=3)
    assert again.rows == log.rows
    assert [type(row["epoch"]) for row in again.rows] == [int] * 3
    assert (again.rows[0]["val_accuracy"], again.rows[0]["loss"]) == (0.333333, 1234570)
    assert (again.rows[2]["seconds"], again.rows[2]["images_per_second"]) == (None, None)


@pytest.mark.parametrize(("epochs", "kept"), [(0, []), (2, [1, 2]), (3, [1, 2, 3]), (9, [1, 2, 3])])
def test_rows_after_the_resumed_epoch_are_dropped(path, epochs, kept):
    log = MetricsLog(path, Classification)
    add(log, 0.1, 0.2, 0.3)
    log.write()
    resumed = MetricsLog(path, Classification, epochs)
    assert [row["epoch"] for row in resumed.rows] == kept
    add(resumed, 0.9)
    resumed.write()
    rows = MetricsLog(path, Classification, 10).rows
    assert [row["val_accuracy"] for row in rows] == [
        *[0.1, 0.2, 0.3][: len(kept)],
        0.9,
    ]


@pytest.mark.parametrize(
    ("accuracies", "best_epoch", "without_progress"),
    [([0.5], 1, 0), ([0.1, 0.2, 0.3], 3, 0), ([0.1, 0.3, 0.2], 2, 1), ([0.3, 0.1, 0.3], 1, 2), ([0.0, 0.0], 1, 1)],
)
def test_the_best_epoch_is_the_first_of_the_highest(path, accuracies, best_epoch, without_progress):
    log = MetricsLog(path, Classification)
    assert log.epochs_without_progress() == 0
    add(log, *accuracies)
    assert log.best_epoch() == best_epoch
    assert log.epochs_without_progress() == without_progress


@pytest.mark.parametrize(
    "row", ["garbage", "nan,1,1,1,1,1,1,1,1", "1,x,1,1,1,1,1,1,1", "1,1,1", "1" + ",1" * 9, "1e999" + ",1" * 8]
)
def test_garbage_is_a_line(tmp_path, row):
    (tmp_path / "metrics.csv").write_text(f"{','.join(COLUMNS)}\n{row}\n")
    with pytest.raises(UserError, match=r"metrics\.csv is damaged: .*; mend or remove the row"):
        MetricsLog(tmp_path / "metrics.csv", Classification, epochs=None)


def test_an_epoch_without_a_value_is_the_worst(path):
    log = MetricsLog(path, Classification)
    add(log, None, 0.0, None)
    assert log.best_epoch() == 2
