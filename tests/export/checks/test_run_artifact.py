"""The program by itself: what it blocks, and what it says on stdout. What it computes is in test_runner.py."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lambda_keras.export import checks

PROGRAM = Path(checks.__file__).with_name("run_artifact.py")


def test_it_cannot_see_what_a_stranger_does_not_have():
    """The blocks hold after the script has run, so that nothing later brings Keras or our packages in."""
    program = """
import runpy, sys
runpy.run_path(sys.argv[1])
for name in ("keras", "tf_keras", "lambda_keras", "lambda_keras.layers", "lambda_keras.zoo", "lambda_keras.export"):
    try:
        __import__(name)
    except ImportError:
        print("blocked", name)
"""
    process = subprocess.run(
        [sys.executable, "-I", "-c", program, str(PROGRAM)], capture_output=True, text=True, check=True
    )
    assert process.stdout.split()[1::2] == [
        "keras", "tf_keras", "lambda_keras", "lambda_keras.layers", "lambda_keras.zoo", "lambda_keras.export",
    ]  # fmt: skip


def test_answers_are_lines_of_json_and_it_ends_with_its_input(tflite, model, images, tmp_path):
    """Two files of the same model, each with its own answer."""
    np.save(tmp_path / "images.npy", images)
    paths = [str(tflite), str(shutil.copy(tflite, tmp_path / "other.tflite"))]
    requests = [{"load": path} for path in paths]
    for path, start in zip(paths, (0, 3), strict=True):
        requests.append({"run": path, "images": f"{tmp_path}/images.npy", "start": start, "stop": start + 3})
    process = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), "tflite", f"{tmp_path}/probabilities.npy"],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    for loaded in answers[:2]:
        assert loaded["shape"] == [None, *model.input_shape[1:]]
        assert loaded["load_seconds"] > 0
    assert [list(answer) for answer in answers[2:]] == [["seconds"]] * 2
    result = np.load(tmp_path / "probabilities.npy", allow_pickle=False)
    np.testing.assert_allclose(result, model.predict(images[3:6], verbose=0), atol=1e-5)


@pytest.mark.parametrize(("kind", "request_"), [("onnx", {"load": "TFLITE"}), ("tflite", {"run": "TFLITE"})])
def test_what_it_does_not_know_is_an_error(tflite, tmp_path, kind, request_):
    """Another runtime, or an artifact that is not loaded."""
    line = json.dumps(request_).replace("TFLITE", str(tflite))
    command = [sys.executable, "-I", str(PROGRAM), kind, f"{tmp_path}/probabilities.npy"]
    process = subprocess.run(command, input=line, capture_output=True, text=True)
    assert process.returncode != 0
    assert process.stdout == ""


@pytest.mark.parametrize("runtime", ["openvino", "tflite"])
def test_where_the_runtime_does_without_tensorflow_it_is_blocked(runtime, server_model, tflite, tmp_path):
    pytest.importorskip("openvino" if runtime == "openvino" else "ai_edge_litert")
    program = """
import runpy, sys
loaders = runpy.run_path(sys.argv[1])["LOADERS"]
loaders[sys.argv[2]](sys.argv[3])
import tensorflow
"""
    artifact = server_model if runtime == "openvino" else tflite
    command = [sys.executable, "-I", "-c", program, PROGRAM, runtime, artifact]
    process = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert process.stderr.splitlines()[-1].startswith("ModuleNotFoundError: import of tensorflow halted")
