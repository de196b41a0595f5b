from pathlib import Path

from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.checks.report import print_comparisons, print_costs, print_report
from lambda_keras.export.checks.verification import Comparison, Cost, Verification


def rows(capsys):
    """The rows of a table, without its header and the line below."""
    return [line.split() for line in capsys.readouterr().out.splitlines()[2:]]


def test_differences_and_verdicts(capsys):
    """Each artifact is judged by the bounds of its own kind."""
    artifacts = [Artifact("tflite", Path("a.tflite")), Artifact("tflite", Path("b.tflite"), "dynamic")]
    results = [Comparison(0.2, 0.125, 1.0, 0.975, 0.0), Comparison(0.2, 1e-8, 0.925, 0.975, 0.0)]
    print_comparisons("model.keras", 0.975, artifacts, results)
    assert rows(capsys) == [
        ["model.keras", "-", "-", "-", "97.50%", "-"],
        ["a.tflite", "2.0e-01", "1.2e-01", "100.00%", "97.50%", "FAIL"],
        ["b.tflite", "2.0e-01", "1.0e-08", "92.50%", "97.50%", "pass"],
    ]


def test_sizes_and_times(tmp_path, capsys):
    """What is made of an architecture has no file, and therefore no size."""
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(1_234_567))
    costs = [Cost(2.345, 1, 0.0123), Cost(0.5, 16, 1.0)]
    print_costs("lambda_resnet50ts.a1h_in1k", [Artifact("tflite", path)], costs)
    assert rows(capsys) == [
        ["lambda_resnet50ts.a1h_in1k", "-", "2345", "ms", "1", "12.30", "ms"],
        [str(path), "1.23", "MB", "500", "ms", "16", "1000.00", "ms"],
    ]


def test_what_follows_the_tables(tmp_path, capsys, monkeypatch):
    """Operations of TFLite files alone; the bounds of each kind once."""
    path = tmp_path / "model.tflite"
    path.touch()
    monkeypatch.setattr(
        "lambda_keras.export.checks.report.operations_outside_xnnpack", lambda path: {"GATHER": 2, "PACK": 1}
    )
    artifacts = [Artifact("saved_model", tmp_path), Artifact("tflite", path), Artifact("openvino", tmp_path)]
    same, cost = Comparison(0.0, 0.0, 1.0, 1.0, 0.0), Cost(1.0, 1, 0.001)
    print_report("model.keras", 37, artifacts, Verification(1.0, [same] * 3, [cost] * 4, rounds=5))
    _, _, meaning = capsys.readouterr().out.split("\n\n")
    images, times, threads, outside, few, bounds = meaning.splitlines()
    assert images.startswith("37 images;")
    assert "5 rounds" in times
    assert threads.startswith("threads: a .tflite file runs on one")
    assert outside == f"operations outside XNNPACK in {path}: 2 GATHER, 1 PACK"
    assert few.startswith("37 images are too few to see such a loss of accuracy: one is 2.7 points; give at least 200")
    assert bounds.startswith("quantization none: ")
