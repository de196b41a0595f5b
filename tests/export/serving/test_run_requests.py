import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from lambda_keras.export import serving

RUNNER = Path(serving.__file__).with_name("run_requests.py")
# Signatures as clients of TensorFlow Serving's documentation know them, in a SavedModel that is not of this project.
SQUARE, REVERSE = "serving_default", "reverse"
# Runs the script, then tells what it could have imported of what a server does not have.
PROGRAM = """
import runpy, sys
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
for name in ("keras", "tf_keras", "lambda_keras", "lambda_keras.layers", "lambda_keras.zoo", "lambda_keras.export"):
    try:
        __import__(name)
        print("there is", name)
    except ImportError:
        pass
"""


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="numbers")])
    def square(numbers):
        return {"squares": numbers**2, "sum": tf.reduce_sum(numbers, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text_bytes")])
    def reverse(text_bytes):
        return {"lengths": tf.strings.length(text_bytes), "text_bytes": text_bytes, "text": text_bytes}

    folder = tmp_path_factory.mktemp("stranger") / "1"
    tf.saved_model.save(tf.Module(), str(folder), signatures={SQUARE: square, REVERSE: reverse})
    return folder


def test_both_interfaces_without_keras_and_our_packages(stranger, tmp_path):
    request = PredictRequest()
    request.inputs["numbers"].CopyFrom(tf.make_tensor_proto([[1.0, 2.0], [3.0, 4.0]]))
    (tmp_path / "numbers.request").write_bytes(request.SerializeToString())
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "any", REVERSE
    request.inputs["text_bytes"].CopyFrom(tf.make_tensor_proto([b"\xff\x00", b""]))
    (tmp_path / "text.request").write_bytes(request.SerializeToString())
    (tmp_path / "numbers.json").write_text('{"instances": [{"numbers": [1, 2.0]}, {"numbers": [3, 4]}]}')
    encoded = base64.b64encode("ü".encode()).decode()
    body = {"signature_name": REVERSE, "instances": [{"text_bytes": {"b64": encoded}}, {"text_bytes": "plain"}]}
    (tmp_path / "text.json").write_text(json.dumps(body))

    command = [sys.executable, "-I", "-c", PROGRAM, RUNNER, stranger, tmp_path]
    process = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert (process.returncode, process.stdout) == (0, ""), process.stderr
    response = PredictResponse.FromString((tmp_path / "numbers.response").read_bytes())
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["squares"]), [[1, 4], [9, 16]])
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["sum"]), [3, 7])
    response = PredictResponse.FromString((tmp_path / "text.response").read_bytes())
    assert response.model_spec.name == "any"
    assert tf.make_ndarray(response.outputs["text_bytes"]).tolist() == [b"\xff\x00", b""]
    assert json.loads((tmp_path / "numbers.answer").read_text()) == {
        "predictions": [{"squares": [1.0, 4.0], "sum": 3.0}, {"squares": [9.0, 16.0], "sum": 7.0}]
    }
    assert json.loads((tmp_path / "text.answer").read_text()) == {
        "predictions": [
            {"lengths": 2, "text": "ü", "text_bytes": {"b64": encoded}},
            {"lengths": 5, "text": "plain", "text_bytes": {"b64": base64.b64encode(b"plain").decode()}},
        ]
    }
