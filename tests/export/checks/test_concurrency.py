import csv

import matplotlib.image
import pytest

from lambda_keras.export import cli
from lambda_keras.export.checks import concurrency
from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.checks.concurrency import Concurrency, print_concurrency, servable, write_concurrency
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.zoo.errors import UserError

ROWS = [
    Concurrency("served/1", clients, most, 0.001 * clients, 0.002 * clients, 0.003 * clients, 100.0 * most, 1000)
    for clients in (1, 4)
    for most in (1, 16)
]


def test_clients_of_a_savedmodel(plain_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(concurrency.ask_together, "__defaults__", (None, 0.2))
    monkeypatch.setattr(
        "lambda_keras.export.checks.benchmark.seconds_by_turns", lambda calls, most_rounds: [[call()] for call in calls]
    )
    version = export_saved_model(plain_model, tmp_path / "served")
    out = tmp_path / "out"
    command = ["benchmark", "--out", str(out), "--batch-sizes", "1", "--clients", "3,1", str(version)]
    assert cli.main(command) == 0
    with open(out / "clients.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    asked = [(row["name"], row["clients"], row["max_batch_size"]) for row in rows]
    assert asked == [(str(version), clients, most) for clients in "13" for most in ("1", "16")]
    for row in rows:
        assert int(row["requests"]) >= int(row["clients"])
        assert 0 < float(row["p50_seconds"]) <= float(row["p90_seconds"]) <= float(row["p99_seconds"])
        assert float(row["images_per_second"]) > 0
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote clients.csv and clients.png to {out}"
    assert (out / "clients.png").stat().st_size > 10_000


def test_other_artifacts_are_not_asked(tmp_path):
    saved_model, tflite = Artifact("saved_model", tmp_path / "1"), Artifact("tflite", tmp_path / "a.tflite")
    assert servable([tflite, saved_model]) == [saved_model]
    with pytest.raises(UserError, match=r"--clients ask SavedModels .*, got .*a\.tflite; add one, or leave out"):
        servable([tflite])


def test_the_table(capsys):
    print_concurrency(ROWS[:2])
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["served/1", "1", "none", "1.00", "ms", "2.00", "ms", "3.00", "ms", "100.0", "1000"],
        ["served/1", "1", "up", "to", "16", "1.00", "ms", "2.00", "ms", "3.00", "ms", "1600.0", "1000"],
    ]


def test_the_plot_has_a_line_for_each_way(tmp_path):
    write_concurrency(tmp_path, ROWS)
    pixels = matplotlib.image.imread(tmp_path / "clients.png")
    for colour in ((31, 119, 180), (255, 127, 14)):  # matplotlib's first two
        assert (abs(pixels[..., :3] - [part / 255 for part in colour]).max(-1) < 0.01).sum() > 100
