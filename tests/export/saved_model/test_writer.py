import math
import os
import signal
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.export.saved_model.writer import export_saved_model, versions
from lambda_keras.zoo.errors import UserError
from tests.little_room import little_room

ROOT = Path(__file__).parents[3]


def files(folder):
    return {path.relative_to(folder) for path in folder.rglob("*")}


def test_the_batch_is_dynamic(model, saved_model):
    serve = tf.saved_model.load(saved_model).signatures["serving_default"]
    assert serve.structured_input_signature[1]["images"].shape.as_list() == list(model.input_shape)
    assert serve.structured_outputs["probabilities"].shape.as_list() == list(model.output_shape)


def test_each_weight_is_written_once(model, saved_model):
    reader = tf.train.load_checkpoint(str(saved_model / "variables" / "variables"))
    shapes = [shape for name, shape in reader.get_variable_to_shape_map().items() if "VARIABLE_VALUE" in name]
    assert sum(map(math.prod, shapes)) == model.count_params()
    vectors = [variable for variable in model.variables if len(variable.shape) == 1]
    others = [tuple(variable.shape) for variable in model.variables if len(variable.shape) != 1]
    joined = (1, sum(vector.shape[0] for vector in vectors))
    assert sorted(map(tuple, shapes)) == sorted([joined, *others])


@pytest.mark.parametrize("freeze", [False, True])
def test_the_size_is_that_of_the_parameters(record, tmp_path, freeze):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(512, 3)(inputs)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(512, 3)(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    record = record.with_preprocessing(image_size=8)
    version = export_saved_model(model, tmp_path, record, features=True, freeze=freeze)
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    assert 1.0 < size / (4 * model.count_params()) < 1.05


@pytest.mark.slow
def test_the_size_of_a_model_of_many_vectors(tmp_path):
    """Of MobileNet's small variables the names would be more than 5 % of the parameters."""
    model = lk.create_model("lambda_mobilenet_v2")
    version = export_saved_model(model, tmp_path)
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    assert 1.0 < size / (4 * model.count_params()) < 1.05


def test_frozen_swish_and_silu_can_be_written(tmp_path):
    """Their gradients are functions of their own, which TensorFlow would write with the constants that they take."""
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Activation("silu")(keras.layers.Conv2D(2, 3, activation="swish")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x)))
    version = export_saved_model(model, tmp_path, freeze=True)
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    result = tf.saved_model.load(version).signatures["serving_default"](images=tf.constant(images))
    np.testing.assert_allclose(result["probabilities"], model(images), atol=1e-6)


def test_the_next_version_is_above_the_highest(plain_model, tmp_path):
    (tmp_path / "2").mkdir()
    (tmp_path / "10").mkdir()
    (tmp_path / "notes").mkdir()
    assert export_saved_model(plain_model, tmp_path) == tmp_path / "11"
    assert [path.name for path in versions(tmp_path)] == ["2", "10", "11"]


@pytest.mark.parametrize("name", ["x[1]", "x*", "x?"])
def test_a_folder_from_which_no_server_could_load_is_refused(name, tmp_path):
    with pytest.raises(UserError, match=r"TensorFlow, in a server too, loads no SavedModel from .*x.*without them"):
        export_saved_model(None, tmp_path / name / "served")
    assert not list(tmp_path.iterdir())


def test_the_first_version_is_1_and_stands_alone(saved_model):
    assert saved_model.name == "1"
    assert os.listdir(saved_model.parent) == ["1"]


def test_a_server_of_another_user_may_read_it(saved_model):
    umask = os.umask(0)
    os.umask(umask)
    assert saved_model.stat().st_mode & 0o777 == 0o777 & ~umask


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_export_leaves_nothing(plain_model, tmp_path, monkeypatch, failure):
    export_saved_model(plain_model, tmp_path)
    before = files(tmp_path)
    save = tf.saved_model.save

    def save_and_fail(*args, **kwargs):
        save(*args, **kwargs)
        raise failure

    monkeypatch.setattr(tf.saved_model, "save", save_and_fail)
    with pytest.raises(failure):
        export_saved_model(plain_model, tmp_path)
    assert files(tmp_path) == before


def test_a_killed_export_leaves_no_version(plain_model, plain_file, warm_python, tmp_path):
    """Kill -9 when all is written but the name: nothing cleans up, no server finds a version, the next export works."""
    program = """
import os, signal, sys
from lambda_keras.export import cli
from lambda_keras.export.saved_model import writer
writer.os.rename = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
cli.main(sys.argv[1:])
"""
    out = tmp_path / "versions"
    arguments = ["saved-model", "--model", plain_file, "--out", out]
    process = subprocess.run([*warm_python, "-c", program, *arguments], cwd=ROOT, capture_output=True)
    assert process.returncode == -signal.SIGKILL
    assert list(out.rglob("saved_model.pb")), "killed too early to show anything"
    assert versions(out) == []
    assert export_saved_model(plain_model, out) == out / "1"
    assert versions(out) == [out / "1"]


def test_a_full_disk_leaves_nothing_and_is_one_line(plain_model, tmp_path):
    with little_room(), pytest.raises(UserError, match=r"cannot write to .*: .*; make room there"):
        export_saved_model(plain_model, tmp_path / "out", warmup=1)
    assert os.listdir(tmp_path / "out") == []


def test_a_folder_that_is_a_file_is_named(plain_model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write to .*file: File exists"):
        export_saved_model(plain_model, tmp_path / "file")


def test_a_version_that_appears_meanwhile_is_not_overwritten(plain_model, tmp_path, monkeypatch):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "file").write_text("")
    monkeypatch.setattr("lambda_keras.export.saved_model.writer.versions", lambda folder: [])
    with pytest.raises(UserError, match=r"cannot write .*/1: Directory not empty"):
        export_saved_model(plain_model, tmp_path)
    assert files(tmp_path) == {Path("1"), Path("1/file")}


def test_two_exports_at_once_are_two_versions(plain_model, tmp_path, monkeypatch):
    """Another export takes the number between our look and our renaming."""
    looks = []

    def look(folder):
        found = versions(folder)
        looks.append(found)
        if len(looks) == 1:
            (tmp_path / "1").mkdir()
            (tmp_path / "1" / "saved_model.pb").touch()
        return found

    monkeypatch.setattr("lambda_keras.export.saved_model.writer.versions", look)
    assert export_saved_model(plain_model, tmp_path) == tmp_path / "2"
    assert [path.name for path in versions(tmp_path)] == ["1", "2"]
