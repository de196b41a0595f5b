import dataclasses

import pytest
import tensorflow as tf

from lambda_keras.export import cli
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.export.serving.check import ServeCheck, serve_check
from lambda_keras.export.serving.instructions import files
from lambda_keras.export.serving.service import find_service
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.evaluation.prediction import predict


@pytest.fixture(scope="module")
def warm(model, record, tmp_path_factory):
    """A folder of one version with requests to start with."""
    return export_saved_model(model, tmp_path_factory.mktemp("warm"), record, warmup=2).parent


def test_a_file(warm, run_of_model, image_files):
    """What `lambda-zoo predict` says of the same file."""
    (expected,) = predict(run_of_model, image_files[1:2])
    result = serve_check(find_service(warm, image=image_files[1]))
    assert result.agrees()
    assert result.warmup == 2 * 3
    assert [name for name, _ in result.grpc] == [row["class"] for row in expected["predictions"]]
    probabilities = [row["probability"] for row in expected["predictions"]]
    assert [probability for _, probability in result.grpc] == pytest.approx(probabilities, abs=1e-5)


def test_a_generated_picture_from_the_command_line(warm, tmp_path, capsys):
    assert cli.main(["serve-check", str(warm), "--name", "letters", "--write", f"{tmp_path}/out"]) == 0
    printed = capsys.readouterr().out
    assert f"-v {warm}:/models/letters -e MODEL_NAME=letters " in printed
    assert "model_config_list" not in printed, "it is written instead"
    over_grpc, over_rest, *rest = printed.splitlines()[-10:]
    assert over_grpc.removeprefix("over gRPC: ") == over_rest.removeprefix("over REST: ")
    assert rest[:2] == ["warm-up: 6 requests answered", "gRPC and REST agree"]
    assert rest[2:] == [f"wrote {tmp_path}/out/{name}" for name in files(find_service(warm, "letters"))]


@pytest.mark.usefixtures("_answers_here")
def test_without_a_folder_the_files_are_printed(warm, capsys):
    assert cli.main(["serve-check", str(warm), "--name", "letters"]) == 0
    printed = capsys.readouterr().out
    assert all(text in printed for text in files(find_service(warm, "letters")).values())


@pytest.mark.usefixtures("_answers_here")
def test_a_model_without_record_is_asked_about_zeros(model, saved_model):
    result = serve_check(find_service(saved_model.parent, "name"))
    probabilities = model(tf.zeros((1, 32, 32, 3)), training=False)[0].numpy()
    expected = {str(label): probabilities[label] for label in probabilities.argsort()[:-6:-1]}
    assert result.agrees()
    assert [name for name, _ in result.grpc] == list(expected)
    assert [probability for _, probability in result.grpc] == pytest.approx(list(expected.values()), abs=1e-5)
    assert result.warmup == 0


@pytest.mark.usefixtures("_answers_here")
def test_a_file_that_is_no_image(warm, tmp_path):
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(UserError, match=r"cannot decode .*text\.png"):
        serve_check(find_service(warm, "name", tmp_path / "text.png"))


def test_a_version_that_does_not_run(warm, tmp_path, monkeypatch):
    """The last line of what the process says, as of any traceback."""
    (tmp_path / "fails.py").write_text("raise SystemExit('some lines\\nno such variables')")
    monkeypatch.setattr("lambda_keras.export.serving.check.RUNNER", tmp_path / "fails.py")
    with pytest.raises(UserError, match=r"1 does not run \(exit status 1\): no such variables"):
        serve_check(find_service(warm))


def test_a_difference_is_told():
    same = ServeCheck([("A", 0.75), ("B", 0.25)], [("A", 0.750001), ("B", 0.25)], warmup=0)
    assert same.agrees()
    for other in [("B", 0.75), ("A", 0.25)], [("A", 0.74), ("B", 0.25)], [("A", 0.75)]:
        differing = dataclasses.replace(same, rest=other)
        assert not differing.agrees()
        assert str(differing).endswith("gRPC and REST DISAGREE")


@pytest.mark.usefixtures("_answers_here")
def test_classes_of_the_same_name_are_several(plain_model, plain_record, tmp_path):
    record = dataclasses.replace(plain_record, class_names=("A",) * 3)
    version = export_saved_model(plain_model, tmp_path / "letters", record)
    result = serve_check(find_service(version.parent))
    assert [name for name, _ in result.grpc] == ["A"] * 3
    assert str(result).startswith("over gRPC: A ")
    assert result.agrees()
