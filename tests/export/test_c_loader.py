"""The SavedModel in a C program: the loader of TensorFlow Serving, and neither Python nor Keras."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from lambda_keras.export.tflite.signatures import SERVING_DEFAULT

SOURCE = Path(__file__).with_name("serve.c")


@pytest.fixture(scope="session")
def serve(tmp_path_factory):
    """Runs a signature of a SavedModel in the compiled program; returns the bytes of one output."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not here to compile tests/export/serve.c")
    program = tmp_path_factory.mktemp("c") / "serve"
    libraries = tf.sysconfig.get_lib()
    link = [f"-L{libraries}", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", f"-Wl,-rpath,{libraries}"]
    command = ["gcc", "-Wall", "-Werror", SOURCE, "-isystem", tf.sysconfig.get_include(), *link, "-o", program]
    subprocess.run(command, check=True)

    def run(folder, signature, output, *arguments):
        source, target = names(folder, signature, output)
        result = program.with_name("result")
        command = [program, folder, source, target, result, *arguments]
        process = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        return result.read_bytes()

    return run


def names(folder, signature, output):
    """The operation that takes the signature's input, and the tensor of this output."""
    saved_model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definition = saved_model.meta_graphs[0].signature_def[signature]
    (source,) = definition.inputs.values()
    return source.name.removesuffix(":0"), definition.outputs[output].name


@pytest.mark.parametrize("form", ["server_model", "frozen_server_model"])
def test_serving_default(serve, form, request, model, raw_images, normalised, tmp_path):
    folder = request.getfixturevalue(form)
    raw_images.astype("float32").tofile(tmp_path / "images")
    content = serve(folder, SERVING_DEFAULT, "probabilities", "floats", *raw_images.shape, tmp_path / "images")
    result = np.frombuffer(content, "float32").reshape(len(raw_images), -1)
    np.testing.assert_allclose(result, model(normalised, training=False), atol=1e-5)


def test_damaged_files_do_not_fail_the_others(serve, server_model, image_files, tmp_path):
    (tmp_path / "damaged").write_bytes(image_files[0].read_bytes()[:99])
    files = [image_files[0], tmp_path / "damaged", image_files[1]]
    valid = serve(server_model, "classify_bytes", "valid", "bytes", *files)
    assert np.frombuffer(valid, bool).tolist() == [True, False, True]
    scores = np.frombuffer(serve(server_model, "classify_bytes", "scores", "bytes", *files), "float32").reshape(3, 5)
    encoded = [file.read_bytes() for file in files]
    expected = tf.saved_model.load(server_model).signatures["classify_bytes"](image_bytes=tf.constant(encoded))
    np.testing.assert_allclose(scores, expected["scores"], atol=1e-5)
