import csv
import os

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from lambda_keras.export import cli
from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.checks.benchmark import (
    Measurement,
    benchmark,
    percentiles,
    print_measurements,
    write_benchmark,
)
from lambda_keras.export.checks.runner import ModelRunner
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.errors import UserError


@pytest.fixture
def _one_round(monkeypatch):
    """Each call once: what is measured does not matter here."""
    monkeypatch.setattr(
        "lambda_keras.export.checks.benchmark.seconds_by_turns", lambda calls, most_rounds: [[call()] for call in calls]
    )


@pytest.fixture(scope="module")
def fixed(plain_model, folder):
    return Artifact("tflite", export_tflite(plain_model, folder / "fixed.tflite", batch_size=3))


def original(model):
    return ModelRunner(model, "model.keras", load_seconds=0)


@pytest.mark.usefixtures("_one_round")
def test_each_at_the_batch_sizes_that_it_takes(plain_model, fixed):
    measurements = benchmark([fixed], [1, 3], original=original(plain_model))
    assert [(row.name, row.batch_size) for row in measurements] == [
        ("model.keras", 1),
        ("model.keras", 3),
        (str(fixed), 3),
    ]
    for row in measurements:
        assert row.images_per_second == pytest.approx(row.batch_size / row.p50_seconds)
        assert row.p50_seconds == row.p90_seconds == row.p99_seconds


def test_a_batch_that_an_artifact_does_not_take(fixed):
    with pytest.raises(UserError, match=r"fixed.tflite takes batches of 3 only, got --batch-sizes 1,2; add 3"):
        benchmark([fixed], [1, 2])


def test_images_of_another_size(plain_model):
    with pytest.raises(UserError, match=r"model.keras takes images \[8, 8, 3\], got \[16, 16, 3\]"):
        benchmark([], [1], image_size=16, original=original(plain_model))


@pytest.mark.usefixtures("_one_round")
def test_images_of_any_size(tmp_path):
    import keras

    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    model = keras.Model(inputs, outputs)
    with pytest.raises(UserError, match=r"model.keras takes images of any size; give one with --image-size"):
        benchmark([], [1], original=original(model))
    (row,) = benchmark([], [2], image_size=8, original=original(model))
    assert row.batch_size == 2


MEASUREMENTS = [
    Measurement("a.tflite", 1, 0.002, 0.003, 0.004, 500.0, 100),
    Measurement("served/1", 1, 0.004, 0.005, 0.006, 250.0, 100),
    Measurement("served/1", 8, 0.016, 0.017, 0.018, 500.0, 100),
]


def test_the_table(capsys):
    print_measurements(MEASUREMENTS)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["a.tflite", "1", "2.00", "ms", "3.00", "ms", "4.00", "ms", "500.0", "100"],
        ["served/1", "1", "4.00", "ms", "5.00", "ms", "6.00", "ms", "250.0", "100"],
        ["served/1", "8", "16.00", "ms", "17.00", "ms", "18.00", "ms", "500.0", "100"],
    ]


def test_the_files(tmp_path):
    write_benchmark(tmp_path / "new", MEASUREMENTS)
    assert sorted(os.listdir(tmp_path / "new")) == ["benchmark.csv", "benchmark.png"]
    with open(tmp_path / "new" / "benchmark.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Measurement(**{**row, **numbers(row)}) for row in rows] == MEASUREMENTS
    pixels = matplotlib.image.imread(tmp_path / "new" / "benchmark.png")
    # The default colours of the two lines.
    for colour in ("#1f77b4", "#ff7f0e"):
        wanted = np.array(matplotlib.colors.to_rgb(colour))
        assert np.isclose(pixels[..., :3], wanted, atol=0.01).all(-1).sum() > 100


def numbers(row):
    whole = ("batch_size", "rounds")
    return {name: int(value) if name in whole else float(value) for name, value in row.items() if name != "name"}


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*file: File exists"):
        write_benchmark(tmp_path / "file", MEASUREMENTS)


def test_percentiles_are_numpys_of_all_rounds():
    seconds = np.random.default_rng(0).exponential(size=1000)
    p50, p90, p99 = percentiles(seconds)
    assert [np.mean(seconds <= value) for value in (p50, p90, p99)] == pytest.approx([0.5, 0.9, 0.99], abs=1e-3)


@pytest.mark.usefixtures("_one_round")
def test_the_command(plain_model, fixed, tmp_path, capsys):
    version = export_saved_model(plain_model, tmp_path / "served")
    arguments = ["--out", f"{tmp_path}/out", "--batch-sizes", "3,1,3", f"{tmp_path}/served", str(fixed.path)]
    assert cli.main(["benchmark", *arguments]) == 0
    *_, first, second, third, threads, wrote = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in (first, second, third)] == [
        [str(version), "1"],
        [str(version), "3"],
        [str(fixed), "3"],
    ]
    assert threads.startswith("threads: a .tflite file runs on one")
    assert wrote == f"wrote benchmark.csv and benchmark.png to {tmp_path}/out"


@pytest.mark.parametrize("sizes", ["0", "1,,2", "two", "-1"])
def test_batch_sizes_that_are_none(fixed, tmp_path, sizes, capsys):
    assert cli.main(["benchmark", "--out", f"{tmp_path}/out", f"--batch-sizes={sizes}", str(fixed.path)]) == 2
    error = capsys.readouterr().err
    assert "--batch-sizes: expected a whole number of at least 1, got" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["benchmark.csv", "benchmark.png", "clients.csv"])
def test_a_folder_with_the_name_of_a_file_is_refused_before_measuring(fixed, tmp_path, name, monkeypatch, capsys):
    monkeypatch.delattr("lambda_keras.export.checks.benchmark.seconds_by_turns")
    (tmp_path / "out" / name).mkdir(parents=True)
    assert cli.main(["benchmark", "--out", f"{tmp_path}/out", str(fixed.path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lambda-export: cannot write {tmp_path}/out/{name}: it is a folder; remove it")
    assert error.count("\n") == 1
    if name != "clients.csv":
        with pytest.raises(UserError, match=f"cannot write .*{name}: Is a directory"):
            write_benchmark(tmp_path / "out", MEASUREMENTS)


@pytest.mark.parametrize("batch_size", [10**11, 10**17, 10**30])
def test_a_batch_beyond_the_memory(plain_model, batch_size):
    with pytest.raises(
        UserError, match=rf"a batch of {batch_size} images does not fit into memory; give smaller --batch"
    ):
        benchmark([], [1, batch_size], original=original(plain_model))


def test_weights_without_a_model_are_one_line(fixed, tmp_path, capsys):
    assert cli.main(["benchmark", "--out", f"{tmp_path}/out", "--weights", "digits", str(fixed.path)]) == 2
    assert "--weights is for --model, which is missing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
