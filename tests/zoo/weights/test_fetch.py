import os

import pytest
from huggingface_hub import constants

from lambda_keras.weights.fetch import sha256_of
from lambda_keras.zoo.cli import main

TAG = "lambda_resnet26t.c1_in1k"


@pytest.mark.parametrize("name", ["lambda_resnet26t", TAG])
def test_path_size_and_hash(hub, name, capsys):
    (blob,) = (hub / "blobs").iterdir()
    assert main(["weights", "fetch", name]) == 0
    path, size, digest, checked = (line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines())
    assert os.path.realpath(path) == str(blob)
    assert size == f"{blob.stat().st_size:,}"
    assert digest == blob.name
    assert checked.startswith("against the Hub's own sha256: None is published")


def test_a_row_with_a_hash_of_its_own_is_checked_against_that(hub, capsys):
    assert main(["weights", "fetch", "lambda_resnet50ts"]) == 2
    error = capsys.readouterr().err
    assert "There is no verified model.safetensors of timm/lambda_resnet50ts.a1h_in1k" in error
    assert error.count("\n") == 1


def test_a_shared_model_of_the_hub_with_all_its_files(shared, hub, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--me--digits"
    snapshot = repository / "snapshots" / ("d1" * 20)
    (repository / "refs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "refs" / "main").write_text(snapshot.name)
    for file in shared.iterdir():
        blob = repository / "blobs" / sha256_of(file)
        blob.write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(blob)
    assert main(["weights", "fetch", "hf://me/digits"]) == 0
    path, *_, checked = capsys.readouterr().out.splitlines()
    assert path.endswith(f"{snapshot}/model.safetensors")
    assert checked.endswith("the repository's config.json, and that against the Hub's own hash")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lambda_resnet26t.c2", "lambda_resnet26t has no weights 'c2'"),
        ("lambda_resnet101", "for its warm start there is resnet_rs101.i160, resnet_rs101.i192"),
        ("mobilenet_v2", "no weights of mobilenet_v2 are published"),
        ("resnet_rs50.i160", "no download is allowed"),
        ("resnet18", "'resnet18' is no name of the catalog of weights, which has lambda_resnet26t.c1_in1k"),
        ("hf://digits", "hf://owner/repository"),
    ],
)
def test_what_cannot_be_had(name, expected, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    monkeypatch.setenv("LAMBDA_KERAS_CACHE", str(tmp_path))
    assert main(["weights", "fetch", name]) == 2
    assert expected in capsys.readouterr().err
