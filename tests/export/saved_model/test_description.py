import hashlib
import json
import subprocess

import keras
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.export.saved_model.description import _git_commit, describe, read_preprocessing, write_description
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models import model_source

TAG = "lambda_resnet26t.c1_in1k"


def test_a_run(model, run_of_model, record):
    description = describe(model, record, model_source.find(run_of_model))
    commit = description.pop("git_commit")
    assert commit is None or len(commit.removesuffix("-dirty")) == 40
    assert description == {
        "name": "lambda_resnet_tiny",
        "weights": {
            "source": str(run_of_model / "model.keras"),
            "tag": None,
            "sha256": hashlib.sha256((run_of_model / "model.keras").read_bytes()).hexdigest(),
        },
        "preprocessing": {
            "image_size": 32,
            "evaluation_crop": 0.875,
            "interpolation": "bicubic",
            "mean": [0.4, 0.45, 0.5],
            "std": [0.2, 0.25, 0.3],
            "channels": 3,
        },
        "classes": 10,
        "versions": {"lambda_keras": lk.__version__, "keras": keras.__version__, "tensorflow": tf.__version__},
        "metrics": [],
    }


def test_published_weights(plain_model, record):
    source = model_source.find(TAG)
    description = describe(plain_model, record, source)
    assert description["weights"] == {"source": TAG, "tag": "c1_in1k", "sha256": source.published.sha256}
    (metric,) = description["metrics"]
    assert (metric["name"], metric["source"]) == ("top1", source.published.metrics[0].source)
    json.dumps(description)


def test_another_revision_has_not_the_published_hash(plain_model):
    source = model_source.find(f"hf://timm/{TAG}@v2")
    description = describe(plain_model, source=source)
    assert description["weights"] == {"source": source.name, "tag": None, "sha256": None}
    assert description["metrics"] == []


def test_nothing_is_known(plain_model):
    description = describe(plain_model)
    assert description["name"] == plain_model.name
    assert description["weights"] == {"source": None, "tag": None, "sha256": None}
    assert description["preprocessing"] is None


def test_the_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("lambda_keras.export.saved_model.description.ROOT", tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    def git(*arguments):
        identity = ("-c", "user.name=n", "-c", "user.email=e")
        process = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True)
        return process.stdout.strip()

    def commit():
        return _git_commit()

    assert commit() is None
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "--message", "file")
    git("tag", "v1")
    assert commit() == git("rev-parse", "HEAD") != ""
    (tmp_path / "file").write_text("2")
    assert commit() == git("rev-parse", "HEAD") + "-dirty"
    monkeypatch.setenv("PATH", "")
    assert commit() is None


@pytest.mark.parametrize("with_record", [True, False])
def test_it_tells_which_preprocessing_is_inside(plain_model, record, tmp_path, with_record):
    assert read_preprocessing(tmp_path) is None
    description = describe(plain_model, record if with_record else None)
    write_description(tmp_path, description)
    assert read_preprocessing(tmp_path) == description["preprocessing"]
    assert (description["preprocessing"] is not None) == with_record


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "1"])
def test_another_model_json(tmp_path, content):
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(UserError, match=r"model.json is damaged, or not of"):
        read_preprocessing(tmp_path)
