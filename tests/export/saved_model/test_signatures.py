import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.export import checks
from lambda_keras.export.saved_model.signatures import ServerModel
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.evaluation.prediction import predict
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.model_source import find

SIGNATURES = {"serving_default", "classify_uint8", "classify_bytes", "features"}
# What a stranger to this project does not have; see run_artifact.py.
RELOAD = """
import runpy, sys
runpy.run_path(sys.argv[1])
import numpy as np
import tensorflow as tf
signatures = tf.saved_model.load(sys.argv[2]).signatures
images = np.load(sys.argv[3])
files = tf.constant([open(file, "rb").read() for file in sys.argv[5:]])
np.savez(
    sys.argv[4],
    from_float=signatures["serving_default"](images=tf.constant(images, tf.float32))["probabilities"],
    from_uint8=signatures["classify_uint8"](images=tf.constant(images))["probabilities"],
    **{name: value.numpy().tolist() for name, value in signatures["classify_bytes"](image_bytes=files).items()},
)
"""


@pytest.fixture(scope="module", params=["server_model", "frozen_server_model"])
def signatures(request):
    return tf.saved_model.load(request.getfixturevalue(request.param)).signatures


@pytest.fixture(scope="module")
def probabilities(run_of_model, raw_images):
    return Classifier(find(run_of_model)).probabilities(raw_images)


@pytest.fixture(scope="module")
def predictions(run_of_model, image_files):
    return predict(run_of_model, image_files)


@pytest.fixture(scope="module")
def expected_scores(predictions):
    return np.array([[row["probability"] for row in image["predictions"]] for image in predictions])


@pytest.fixture(scope="module")
def expected_classes(predictions):
    return [[row["class"] for row in image["predictions"]] for image in predictions]


def text(strings):
    return [[name.decode() for name in row] for row in np.asarray(strings)]


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize(("name", "dtype"), [("serving_default", tf.float32), ("classify_uint8", tf.uint8)])
def test_raw_images(signatures, raw_images, probabilities, normalised, model, name, dtype, batch):
    result = signatures[name](images=tf.constant(raw_images[:batch], dtype))
    assert set(result) == {"logits", "probabilities"}
    np.testing.assert_allclose(result["probabilities"], probabilities[:batch], atol=1e-5)
    np.testing.assert_allclose(tf.nn.softmax(result["logits"]), model(normalised[:batch]), atol=1e-5)


def test_files(signatures, image_files, expected_classes, expected_scores):
    encoded = [file.read_bytes() for file in image_files]
    result = signatures["classify_bytes"](image_bytes=tf.constant(encoded))
    assert text(result["classes"]) == expected_classes
    np.testing.assert_allclose(result["scores"], expected_scores, atol=1e-5)
    assert result["valid"].numpy().tolist() == [True] * 4


def test_damaged_files_among_good_ones(signatures, image_files, expected_classes, expected_scores):
    png, jpeg, *_ = [file.read_bytes() for file in image_files]
    encoded = [b"", jpeg, b"garbage", png, jpeg[: len(jpeg) // 2], png[: len(png) // 2]]
    result = signatures["classify_bytes"](image_bytes=tf.constant(encoded))
    assert result["valid"].numpy().tolist() == [False, True, False, True, False, False]
    nothing = [""] * 5
    expected = [nothing, expected_classes[1], nothing, expected_classes[0], nothing, nothing]
    assert text(result["classes"]) == expected
    np.testing.assert_allclose(result["scores"][1], expected_scores[1], atol=1e-5)
    np.testing.assert_allclose(result["scores"][3], expected_scores[0], atol=1e-5)
    np.testing.assert_array_equal(result["scores"].numpy()[[0, 2, 4, 5]], 0)


@pytest.mark.parametrize("encoded", [[b""], [b"", b"garbage", b"\x89PNG"], []])
def test_no_image_at_all(signatures, encoded):
    result = signatures["classify_bytes"](image_bytes=tf.constant(encoded, tf.string, shape=[len(encoded)]))
    assert result["valid"].numpy().tolist() == [False] * len(encoded)
    assert text(result["classes"]) == [[""] * 5] * len(encoded)
    np.testing.assert_array_equal(result["scores"], np.zeros((len(encoded), 5)))


def test_features(signatures, raw_images):
    result = signatures["features"](images=tf.constant(raw_images, tf.float32))
    assert {name: tuple(value.shape) for name, value in result.items()} == {
        "embedding": (8, 192),
        "c2": (8, 32, 32, 32),
        "c3": (8, 16, 16, 64),
        "c4": (8, 8, 8, 128),
        "c5": (8, 4, 4, 192),
    }


def test_the_same_where_keras_is_blocked(
    server_model, raw_images, image_files, probabilities, expected_classes, expected_scores, tmp_path
):
    np.save(tmp_path / "images.npy", raw_images)
    (tmp_path / "empty").touch()
    runner = Path(checks.__file__).with_name("run_artifact.py")
    arguments = [runner, server_model, tmp_path / "images.npy", tmp_path / "result.npz", tmp_path / "empty"]
    command = [sys.executable, "-I", "-c", RELOAD, *arguments, *image_files]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    result = np.load(tmp_path / "result.npz")
    np.testing.assert_allclose(result["from_float"], probabilities, atol=1e-5)
    np.testing.assert_allclose(result["from_uint8"], probabilities, atol=1e-5)
    assert result["valid"].tolist() == [False, True, True, True, True]
    assert text(result["classes"][1:]) == expected_classes
    np.testing.assert_allclose(result["scores"][1:], expected_scores, atol=1e-5)


def test_of_few_classes_all_are_named(plain_model, record, image_files, tmp_path):
    record = dataclasses.replace(record.with_preprocessing(image_size=8), class_names=("red", "grün", "blue"))
    model = keras.models.clone_model(plain_model, input_tensors=keras.Input((8, 8, 3)))
    version = export_saved_model(model, tmp_path, record)
    serve = tf.saved_model.load(version).signatures["classify_bytes"]
    (classes,) = text(serve(image_bytes=tf.constant([image_files[0].read_bytes()]))["classes"])
    assert sorted(classes) == ["blue", "grün", "red"]
    assert (version / "assets" / "labels.txt").read_text("utf-8") == "red\ngrün\nblue\n"


def test_without_record_images_are_normalised_ones(model, images, tmp_path):
    version = export_saved_model(model, tmp_path, features=True)
    signatures = tf.saved_model.load(version).signatures
    assert set(signatures) == {"serving_default", "features"}
    result = signatures["serving_default"](images=tf.constant(images))
    np.testing.assert_allclose(result["probabilities"], model(images, training=False), atol=1e-5)
    assert os.listdir(version / "assets") == []


def test_which_signatures_there_are(server_model, plain_model, record):
    assert set(tf.saved_model.load(server_model).signatures) == SIGNATURES
    record = dataclasses.replace(record, class_names=("red", "green", "blue"))
    assert set(ServerModel(plain_model, record).functions) == SIGNATURES - {"features"}


def test_a_class_with_a_line_break(plain_model, record):
    record = dataclasses.replace(record, class_names=("red", "light\ngreen", "blue"))
    with pytest.raises(UserError, match=r"the name 'light\\ngreen' has a line break"):
        ServerModel(plain_model, record)
