import pytest

from lambda_keras.export.cli import main
from lambda_keras.export.detection import tflite, writer
from lambda_keras.export.serving.check import ServeCheck, serve_check
from lambda_keras.export.serving.service import find_service
from lambda_keras.zoo.detection.predict import Predictor
from tests.export.detection.conftest import png


@pytest.fixture
def exporters(monkeypatch):
    """What the command is asked to write, instead of writing it; what it writes is tested beside this file."""
    asked = []
    for module, name in ((tflite, "export_tflite"), (writer, "export_saved_model")):
        monkeypatch.setattr(module, name, lambda *arguments: asked.append(arguments[1:]) or arguments[1])
    return asked


def test_the_name_decides_what_is_written(exporters, detector_run, tmp_path, capsys):
    for name in ("served", "found.tflite"):
        assert main(["detector", "--model", str(detector_run), "--out", str(tmp_path / name)]) == 0
        assert capsys.readouterr().out == f"wrote {tmp_path / name}\n"
    assert exporters == [(tmp_path / "served", 50_000_000), (tmp_path / "found.tflite",)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "nowhere", "--out", "x"], "no such file: nowhere; a detector is the folder of"),
        (["--model", "nowhere"], "the following arguments are required: --out"),
        (["--model", "RUN", "--out", "a[1]"], "TensorFlow, in a server too, loads no SavedModel from"),
    ],
)
def test_bad_input_ends_in_a_line(detector_run, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = [str(detector_run) if option == "RUN" else option for option in options]
    assert main(["detector", *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_versions_are_counted(saved_model):
    assert saved_model.name == "1"


@pytest.mark.usefixtures("_answers_here")
def test_serve_check_asks_about_a_file(detector, saved_model, scenes, tmp_path):
    (tmp_path / "scene.png").write_bytes(png(scenes[1]))
    result = serve_check(find_service(saved_model.parent, "detector", tmp_path / "scene.png"))
    assert result.agrees()
    expected = Predictor(detector).find(png(scenes[1]), "scene")
    assert [name for name, _ in result.grpc] == [detector.record.class_names[label - 1] for label in expected.classes]
    assert [score for _, score in result.grpc] == pytest.approx(expected.scores.tolist(), abs=1e-5)


def test_where_nothing_is_found_both_ways_agree():
    result = ServeCheck([], [], 0)
    assert result.agrees()
    assert "over gRPC: nothing" in str(result)
