import dataclasses
import os
import stat

import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.weights import Preprocessor
from lambda_keras.weights.pretrained import read_preprocessor
from lambda_keras.weights.reference import Folder
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.models import model_source
from tests.little_room import little_room

DIGITS = ["weights", "convert", "--model", "lambda_resnet_tiny", "--channels", "1"]


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("name", ["out.safetensors", "out.weights.h5", "out.keras"])
def test_each_format_has_the_same_weights(is_shared, name, model, saved_run, shared, tmp_path, capsys):
    source = shared if is_shared else saved_run / "model.keras"
    out = tmp_path / name
    assert main([*DIGITS, str(source), str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}: {len(model.weights)} variables of {source}\n"
    again = lk.create_model("lambda_resnet_tiny", input_shape=(32, 32, 1))
    assert lk.load_weights(again, str(out)).is_exact
    for ours, theirs in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


def test_a_folder_keeps_preprocessing_and_class_names(shared, tmp_path):
    assert main([*DIGITS, "--image-size", "48", str(shared), str(tmp_path / "larger")]) == 0
    preprocessor, class_names = read_preprocessor(Folder(tmp_path / "larger"))
    assert preprocessor == Preprocessor(48, evaluation_crop=1.0, mean=(0.305,), std=(0.376,))
    assert class_names == list("0123456789")
    assert lk.load_weights(lk.from_pretrained(tmp_path / "larger"), str(shared)).is_exact


def test_a_run_becomes_a_folder_with_its_record(saved_run, record, tmp_path):
    assert main([*DIGITS, str(saved_run / "model.keras"), str(tmp_path / "new" / "folder")]) == 0
    shared = model_source.find(tmp_path / "new" / "folder").record()
    assert shared == dataclasses.replace(record, model=str(tmp_path / "new" / "folder"), trained_on=None)


def test_a_plain_file_does_not_say_how_grey_images_are_normalised(shared, tmp_path, capsys):
    assert main([*DIGITS, str(shared / "model.safetensors"), str(tmp_path / "folder")]) == 2
    assert "`preprocessor` is needed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_published_weights_become_a_folder_and_go_back_to_timm(hub, class_index, tmp_path):
    arguments = ["weights", "convert", "--model", "lambda_resnet26t", "--image-size", "64"]
    assert main([*arguments, "imagenet", str(tmp_path / "folder")]) == 0
    record = model_source.find(tmp_path / "folder").record()
    assert (record.preprocessor.image_size, record.preprocessor.evaluation_crop) == (64, 0.94)
    assert record.class_names[-1] == "n00000999"
    assert main([*arguments, "--to", "timm", str(tmp_path / "folder"), str(tmp_path / "timm.safetensors")]) == 0
    (blob,) = (hub / "blobs").iterdir()
    assert (tmp_path / "timm.safetensors").read_bytes() == blob.read_bytes()


def test_nothing_is_overwritten_unless_told(saved_run, tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    out.write_text("precious")
    arguments = [*DIGITS, str(saved_run / "model.keras"), str(out)]
    assert main(arguments) == 2
    assert f"{out} exists; --overwrite replaces it" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert main([*arguments, "--overwrite"]) == 0
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "out", "expected"),
    [
        (["--classes", "3"], "out.safetensors", "another number of classes"),
        (["--channels", "3"], "out.safetensors", "stem_conv/kernel"),
        (["--classes", "0"], "out.safetensors", "`classes` must be at least 1"),
        (["--model", "lambda_resnet_tny"], "out.safetensors", "There is no model 'lambda_resnet_tny'"),
        (["--to", "timm"], "out.keras", "--to timm writes a .safetensors file"),
        (["--to", "timm"], "out.safetensors", "timm"),
        ([], "out.h5", "OUT must end in .safetensors, .weights.h5 or .keras, or be a folder"),
        ([], "out.pth", "OUT must end in"),
        ([], "file/out.keras", "cannot write"),
        ([], "file/out.weights.h5", "cannot write"),
        ([], "file/out.safetensors", "cannot write"),
    ],
)
def test_what_cannot_be_converted(options, out, expected, saved_run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*DIGITS, *options, str(saved_run / "model.keras"), str(tmp_path / out)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_of_other_files_is_not_overwritten(saved_run, tmp_path, capsys):
    (tmp_path / "README.md").write_text("mine")
    assert main([*DIGITS, "--overwrite", str(saved_run / "model.keras"), str(tmp_path)]) == 2
    assert "is no folder of save_pretrained, so --overwrite does not replace it" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["out.safetensors", "out.weights.h5", "out.keras", "folder"])
def test_a_full_disk_is_one_line_and_leaves_nothing(name, shared, tmp_path, capsys):
    with little_room():
        assert main([*DIGITS, str(shared), str(tmp_path / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"lambda-zoo: cannot write {tmp_path / name}: File too large"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["out.safetensors", "out.weights.h5", "out.keras", "folder"])
def test_another_user_may_read_what_the_umask_allows(name, shared, tmp_path):
    before = os.umask(0o022)
    try:
        assert main([*DIGITS, str(shared), str(tmp_path / name)]) == 0
    finally:
        os.umask(before)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in written} == {path.name: 0o644 for path in written}


def test_a_missing_source(tmp_path, capsys):
    assert main([*DIGITS, str(tmp_path / "nowhere.keras"), str(tmp_path / "out.keras")]) == 2
    assert "No weights file at" in capsys.readouterr().err
