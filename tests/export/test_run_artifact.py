import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import export
from export.tflite import export_tflite

RUNNER = Path(export.__file__).with_name("run_artifact.py")


def run(*arguments):
    command = [sys.executable, "-I", RUNNER, *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def test_it_cannot_see_what_a_stranger_does_not_have():
    """The blocks hold after the script has run, so that nothing later brings Keras or our packages in."""
    program = """
import runpy, sys
runpy.run_path(sys.argv[1])
for name in ("keras", "tf_keras", "lambda_keras", "lambda_keras.layers", "zoo", "export.verify"):
    try:
        __import__(name)
    except ImportError:
        print("blocked", name)
"""
    process = subprocess.run(
        [sys.executable, "-I", "-c", program, str(RUNNER)], capture_output=True, text=True, check=True
    )
    assert process.stdout.split()[1::2] == [
        "keras", "tf_keras", "lambda_keras", "lambda_keras.layers", "zoo", "export.verify",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["saved_model", "tflite"])
def test_it_writes_the_probabilities(model, images, request, tmp_path, kind):
    artifact = request.getfixturevalue(kind)
    np.save(tmp_path / "images.npy", images)
    process = run(kind, artifact, tmp_path / "images.npy", tmp_path / "probabilities.npy", 3)
    assert process.returncode == 0, process.stderr
    result = np.load(tmp_path / "probabilities.npy", allow_pickle=False)
    np.testing.assert_allclose(result, model.predict(images, verbose=0), atol=1e-5)


@pytest.mark.parametrize("kind", ["int8", "int8-float-io"])
def test_int8_is_hidden_from_the_caller(digits_model, digits_test, quantized, kind, tmp_path):
    """Images go in as floats and probabilities come out as such, whatever the file takes."""
    images = digits_test.normalised(0, 64)
    np.save(tmp_path / "images.npy", images)
    process = run("tflite", quantized[kind], tmp_path / "images.npy", tmp_path / "probabilities.npy", 32)
    assert process.returncode == 0, process.stderr
    result = np.load(tmp_path / "probabilities.npy", allow_pickle=False)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.sum(-1), 1, atol=0.05)
    assert np.abs(result - digits_model.predict(images, verbose=0)).mean() < 0.01


def test_a_fixed_batch_is_filled_up(plain_model, tmp_path):
    """Seven images in batches of three: the last is filled, and what is said of the filling dropped."""
    path = export_tflite(plain_model, tmp_path / "model.tflite", batch_size=3)
    images = np.random.default_rng(0).normal(size=(7, 4, 4, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    process = run("tflite", path, tmp_path / "images.npy", tmp_path / "probabilities.npy", 32)
    assert process.returncode == 0, process.stderr
    result = np.load(tmp_path / "probabilities.npy", allow_pickle=False)
    np.testing.assert_allclose(result, plain_model.predict(images, verbose=0), atol=1e-6)


def test_images_of_another_size_are_refused_in_one_line(images, tflite, tmp_path):
    np.save(tmp_path / "images.npy", images[:, :-1])
    process = run("tflite", tflite, tmp_path / "images.npy", tmp_path / "probabilities.npy", 3)
    assert process.returncode != 0
    assert process.stderr.splitlines()[-1].startswith("it takes images [None, ")
