"""What a text that names weights means."""

import pathlib

import pytest

from lambda_keras.weights import WeightsError
from lambda_keras.weights.reference import CONFIG, Checkpoint, File, Folder, Hub, Tag, parse, parse_shared

MODEL = "lambda_resnet26t"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working folder: a run, a shared model, a checkpoint and files, some of them named as tags."""
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "run", "shared"):
        pathlib.Path(name).mkdir()
    for name in ("run/model.keras", f"shared/{CONFIG}", "ckpt-1.index", "own.ckpt.index", "c1_in1k", "own.h5"):
        pathlib.Path(name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("imagenet", Tag(MODEL, "imagenet")),
        ("c2", Tag(MODEL, "c2")),
        ("lambda_resnet50ts.a1h_in1k", Tag("lambda_resnet50ts", "a1h_in1k")),
        # Neither a folder nor a file hides a tag.
        ("digits", Tag(MODEL, "digits")),
        ("c1_in1k", Tag(MODEL, "c1_in1k")),
        ("digits/", Folder(pathlib.Path("digits"))),
        ("./c1_in1k", File(pathlib.Path("c1_in1k"))),
        ("shared", Folder(pathlib.Path("shared"))),
        ("run/model.keras", File(pathlib.Path("run/model.keras"))),
        ("ckpt-1", Checkpoint(pathlib.Path("ckpt-1"))),
        ("ckpt-1.index", Checkpoint(pathlib.Path("ckpt-1"))),
        # The ending of a pickle, but a checkpoint.
        ("own.ckpt", Checkpoint(pathlib.Path("own.ckpt"))),
        ("other.ckpt", File(pathlib.Path("other.ckpt"))),
        ("own.h5", File(pathlib.Path("own.h5"))),
        ("model.pth", File(pathlib.Path("model.pth"))),
        ("no/where", File(pathlib.Path("no/where"))),
        (pathlib.Path("digits"), Folder(pathlib.Path("digits"))),
        (pathlib.Path("nowhere"), File(pathlib.Path("nowhere"))),
        ("hf://timm/lambda_resnet26t.c1_in1k", Hub("timm/lambda_resnet26t.c1_in1k")),
        ("hf://me/flowers@v1.0", Hub("me/flowers", "v1.0")),
        ("hf://me/flowers@refs/pr/1", Hub("me/flowers", "refs/pr/1")),
    ],
)
def test_weights_of_a_model(text, expected):
    assert parse(text, MODEL) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MODEL, Tag(MODEL)),
        (f"{MODEL}.c1_in1k", Tag(MODEL, "c1_in1k")),
        (f"{MODEL}.keras", File(pathlib.Path(f"{MODEL}.keras"))),
        ("shared", Folder(pathlib.Path("shared"))),
    ],
)
def test_a_model_with_its_weights(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", [MODEL, f"{MODEL}.c1_in1k", "hf://me/flowers@v1.0", "hf://me/flowers", "shared", "own.h5"]
)
def test_each_is_printed_as_it_is_written(text):
    assert str(parse(text)) == text


def test_a_shared_model_may_be_missing():
    assert parse_shared("nowhere") == Folder(pathlib.Path("nowhere"))
    assert not parse_shared("nowhere").is_shared
    assert parse_shared("shared").is_shared
    assert parse_shared("hf://me/flowers") == Hub("me/flowers")


@pytest.mark.parametrize("name", ["hf://flowers", "hf://", "hf://me/", "hf:///flowers", "hf://me/a/b", "hf://me/a@"])
def test_other_forms_of_a_repository_are_refused(name):
    with pytest.raises(WeightsError, match="hf://owner/repository"):
        parse(name)
