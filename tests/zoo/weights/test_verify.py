import dataclasses
import hashlib
import os
import shutil

import keras
import numpy as np
import pytest
import safetensors.numpy
from huggingface_hub import constants

from lambda_keras.weights import catalog
from lambda_keras.zoo.cli import main


@pytest.fixture
def copy(shared, tmp_path):
    return shutil.copytree(shared, tmp_path / "shared")


def test_one_line_for_each_good_source(hub, saved_run, shared, model, tmp_path, capsys):
    model.save_weights(tmp_path / "digits.weights.h5")
    files = [saved_run / "model.keras", shared / "model.safetensors", tmp_path / "digits.weights.h5"]
    assert main(["weights", "verify", "lambda_resnet26t", str(shared), *map(str, files)]) == 0
    name, folder, *lines = capsys.readouterr().out.splitlines()
    assert name.startswith("lambda_resnet26t: good: the file in the cache has the Hub's own sha256")
    assert folder == f"{shared}: good: all files have the hashes of config.json, all values are finite"
    for line, file in zip(lines, files, strict=True):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert line == f"{file}: good: all values are finite, sha256 {digest} is of no row of the catalog"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_values_of_every_precision_are_read(dtype, tmp_path, capsys):
    layer = keras.layers.Dense(2, dtype=dtype)
    model = keras.Sequential([keras.Input((3,)), layer])
    # Too large for float32, and finite.
    layer.kernel.assign(np.full((3, 2), 1e300 if dtype == "float64" else 2.0))
    model.save_weights(tmp_path / "half.weights.h5")
    assert main(["weights", "verify", str(tmp_path / "half.weights.h5")]) == 0
    assert main(["weights", "show", str(tmp_path / "half.weights.h5")]) == 0
    assert dtype in capsys.readouterr().out


def test_a_bad_one_keeps_no_other_from_being_checked(copy, saved_run, capsys):
    (copy / "preprocessor.json").write_text("{}")
    assert main(["weights", "verify", str(copy), str(saved_run / "model.keras")]) == 1
    bad, good = capsys.readouterr().out.splitlines()
    assert bad.startswith(f"{copy}: BAD: preprocessor.json")
    assert ": good: " in good


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_file_of_the_catalog_is_recognised(kind, shared, monkeypatch, capsys):
    file = shared / "model.safetensors"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    row = catalog.find("lambda_resnet50ts", "imagenet")
    hashes = {"sha256": digest} if kind == "sha256" else {"md5": hashlib.md5(file.read_bytes()).hexdigest()}
    monkeypatch.setattr(catalog, "records", lambda: (dataclasses.replace(row, **hashes),))
    assert main(["weights", "verify", str(file)]) == 0
    assert f"sha256 {digest} is that of lambda_resnet50ts.a1h_in1k" in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".safetensors", ".weights.h5", ".keras"])
def test_a_cut_off_file(model, shared, saved_run, tmp_path, ending, capsys):
    model.save_weights(tmp_path / "whole.weights.h5")
    whole = {
        ".safetensors": shared / "model.safetensors",
        ".weights.h5": tmp_path / "whole.weights.h5",
        ".keras": saved_run / "model.keras",
    }[ending]
    file = tmp_path / f"cut{ending}"
    file.write_bytes(whole.read_bytes()[:-5000])
    assert main(["weights", "verify", str(file)]) == 1
    assert capsys.readouterr().out.startswith(f"{file}: BAD: {file} is damaged")


def test_a_value_that_is_not_finite(tmp_path, capsys):
    tensors = {"good": np.ones(3, "float16"), "bad": np.array([1, np.nan], "float32")}
    safetensors.numpy.save_file(tensors, tmp_path / "nan.safetensors")
    assert main(["weights", "verify", str(tmp_path / "nan.safetensors")]) == 1
    assert "BAD: 1 of 2 tensors have values that are not finite, the first is bad" in capsys.readouterr().out


def test_a_changed_file_in_the_cache(hub_cache, hub, tmp_path, monkeypatch, capsys):
    cache = shutil.copytree(hub_cache, tmp_path / "hub")
    repository = cache / hub.name
    (blob,) = (repository / "blobs").iterdir()
    (link,) = repository.glob("snapshots/*/*")
    link.unlink()
    link.symlink_to(blob)
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    assert main(["weights", "verify", "lambda_resnet26t"]) == 1
    assert "lambda_resnet26t: BAD: " in capsys.readouterr().out


@pytest.mark.parametrize("offline", [None, "0"])
def test_what_is_not_in_the_cache_is_not_downloaded(hub, offline, monkeypatch, capsys):
    monkeypatch.delenv("LAMBDA_KERAS_OFFLINE")
    if offline:
        monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", offline)
    assert main(["weights", "verify", "lambda_resnet50ts"]) == 1
    assert "it is not in the cache" in capsys.readouterr().out
    assert os.environ.get("LAMBDA_KERAS_OFFLINE") == offline


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nowhere.safetensors", "no such file: nowhere.safetensors"),
        ("nowhere", "no such file: nowhere, and no such name in the catalog of weights"),
        (".", "No config.json in '.'"),
        ("weights.pth", "is a pickle"),
        ("notes.txt", "notes.txt is of no format that is read here"),
    ],
)
def test_what_is_no_weights(name, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    assert main(["weights", "verify", name]) == 2
    assert expected in capsys.readouterr().err
