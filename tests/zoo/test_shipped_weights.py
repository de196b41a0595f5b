"""The weights that come with the package have the accuracy that the catalog and the table of trainings say."""

import csv
import pathlib

import pytest

from lambda_keras.weights import catalog
from lambda_keras.zoo.evaluation.run import evaluate

TRAININGS = pathlib.Path(__file__).parents[2] / "benchmarks" / "results" / "shipped_weights.csv"


def test_accuracy_on_digits(tmp_path):
    check_accuracy(catalog.find("lambda_resnet_tiny", "digits"), None, tmp_path)


@pytest.mark.slow
def test_accuracy_on_fashion_mnist(tmp_path, fashion_mnist_folder):
    check_accuracy(catalog.find("lambda_resnet_tiny", "fashion_mnist"), fashion_mnist_folder, tmp_path)


def check_accuracy(record, data_dir, out):
    result = evaluate(record.name, data_dir=data_dir, out=out, batch_size=256)
    # One image in 10,000 may fall on the other side on another processor.
    assert 100 * result.top_1 == pytest.approx(record.metrics[0].value, abs=0.02)


@pytest.mark.parametrize("tag", ["digits", "fashion_mnist"])
def test_the_catalog_says_what_the_table_of_trainings_says(tag):
    with open(TRAININGS, encoding="utf-8", newline="") as file:
        run = next(row for row in csv.DictReader(file) if (row["recipe"], row["network"]) == (tag, "lambda"))
    assert run["seed"] == "0"
    assert float(run["test_accuracy_percent"]) == catalog.find("lambda_resnet_tiny", tag).metrics[0].value
