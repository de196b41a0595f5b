from pathlib import Path

import pytest

from lambda_keras.export.checks import artifact
from lambda_keras.export.checks.artifact import Artifact, find_artifact, find_artifacts, in_runtimes, size
from lambda_keras.export.saved_model.description import describe, write_description
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.errors import UserError

SAVED_MODEL = Artifact("saved_model", Path("served/1"))
TFLITE = Artifact("tflite", Path("model.tflite"), "int8")


@pytest.fixture
def _all_installed(monkeypatch):
    monkeypatch.setattr(artifact, "check_installed", lambda runtime: None)


def test_of_versions_the_newest_is_taken(tmp_path):
    for name in ("2", "10", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert find_artifact(tmp_path) == Artifact("saved_model", tmp_path / "10")
    assert find_artifact(tmp_path / "2") == Artifact("saved_model", tmp_path / "2")


def test_a_saved_model_that_tensorflow_cannot_load_from_there_is_refused(tmp_path):
    (tmp_path / "x[1]" / "1").mkdir(parents=True)
    (tmp_path / "x[1]" / "1" / "saved_model.pb").touch()
    with pytest.raises(UserError, match=r"loads no SavedModel from .*wildcards; give a folder without them"):
        find_artifact(tmp_path / "x[1]")


def test_what_is_no_artifact_is_named(tmp_path):
    with pytest.raises(UserError, match="no such artifact"):
        find_artifact(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"expected a .tflite file"):
        find_artifact(tmp_path)
    (tmp_path / "model.onnx").touch()
    with pytest.raises(UserError, match=r"expected a .tflite file"):
        find_artifact(tmp_path / "model.onnx")


@pytest.mark.usefixtures("_all_installed")
def test_saved_models_alone_run_elsewhere():
    added = in_runtimes([SAVED_MODEL, TFLITE], ["openvino", "onnxruntime"])
    assert added == [Artifact("openvino", SAVED_MODEL.path), Artifact("onnxruntime", SAVED_MODEL.path)]
    assert [str(each) for each in added] == ["served/1 in openvino", "served/1 in onnxruntime"]
    assert in_runtimes([TFLITE], []) == []


def test_without_a_saved_model_there_is_nothing_to_run_elsewhere():
    with pytest.raises(UserError, match=r"--runtime openvino reads SavedModels, got model\.tflite; add one"):
        in_runtimes([TFLITE], ["openvino"])


def test_a_missing_runtime_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setitem(artifact.RUNTIMES, "openvino", ("no_such_package",))
    with pytest.raises(UserError, match="needs no_such_package"):
        in_runtimes([SAVED_MODEL], ["openvino"])


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "variables").mkdir()
    for name, count in (("saved_model.pb", 1_000_000), ("variables/data", 234_000)):
        (tmp_path / name).write_bytes(bytes(count))
    assert size(tmp_path) == "1.23 MB"
    assert size(tmp_path / "saved_model.pb") == "1.00 MB"


@pytest.mark.usefixtures("_all_installed")
def test_a_runtime_given_twice_counts_once():
    assert len(in_runtimes([SAVED_MODEL], ["openvino", "openvino"])) == 1


def test_an_artifact_given_twice_is_refused(tmp_path):
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "saved_model.pb").touch()
    assert len(find_artifacts([tmp_path / "1", tmp_path])) == 2
    with pytest.raises(
        UserError, match=rf"{tmp_path}/2 is given twice, as {tmp_path} and as {tmp_path}/2; leave one out"
    ):
        find_artifacts([tmp_path, tmp_path / "2"])


def test_what_it_says_of_its_images(plain_model, plain_record, tmp_path):
    """A SavedModel prepares them, in whichever runtime; a TFLite file says how others have to."""
    write_description(tmp_path, describe(plain_model, plain_record))
    file = export_tflite(plain_model, tmp_path / "model.tflite", record=plain_record)
    for each in (Artifact("saved_model", tmp_path), Artifact("openvino", tmp_path), Artifact("tflite", file)):
        said = each.preprocessing()
        assert said == plain_record.preprocessor
        assert each.takes_pixels() == (each.kind != "tflite")


def test_without_a_record_it_says_nothing(plain_model, tmp_path):
    write_description(tmp_path, describe(plain_model))
    saved_model = Artifact("saved_model", tmp_path)
    assert saved_model.preprocessing() is None
    assert not saved_model.takes_pixels()
