"""Folders of pictures without labels, and TFRecord files of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_images

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.models.record import Record

LABEL = ["pseudo-label", "--data", "digits", "--split", "test", "--images-per-shard", "60", "--top", "3"]
# Of 450 images; the files have 60 each, the last one 30.
FILES = [f"labels-{shard:05}-of-00008.tfrecord" for shard in range(8)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def save_teacher(folder, seed):
    """A small model of digits, which was not trained, and its record."""
    inputs = keras.Input((8, 8, 1))
    top = keras.layers.Dense(10, activation="softmax")
    model = keras.Model(inputs, top(keras.layers.Flatten()(inputs)))
    top.set_weights([np.random.default_rng(seed).normal(0, 0.5, (64, 10)), np.zeros(10)])
    model.save(folder / "model.keras")
    preprocessor = Preprocessor(8, 1.0, "bicubic", mean=(0.305,), std=(0.376,))
    Record("digits", preprocessor, tuple("0123456789")).write(folder / "record.json")
    return folder


@pytest.fixture(scope="session")
def teacher_run(tmp_path_factory):
    """The folder of a model of digits. Tests do not write to it."""
    return save_teacher(tmp_path_factory.mktemp("teacher"), 0)


@pytest.fixture(scope="session")
def other_teacher_run(tmp_path_factory):
    """The same with other weights."""
    return save_teacher(tmp_path_factory.mktemp("other"), 1)


@pytest.fixture(scope="session")
def labels(teacher_run, tmp_path_factory):
    """Labels of digits by a model of digits, made without an interruption. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("labels")
    assert main([*LABEL, "--teacher", str(teacher_run), "--out", str(folder), "-q"]) == 0
    return folder


@pytest.fixture(scope="session")
def pictures(encode, photo, tmp_path_factory):
    """Seven pictures in folders, a file that is none, and one that is hidden. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(7):
        path = folder / ("inside/deeper" if number % 2 else "outside") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(photo(number), "JPEG"))
    (folder / "outside" / "garbage.png").write_bytes(b"no image at all")
    (folder / "outside" / ".hidden.jpg").touch()
    (folder / "notes.txt").touch()
    return folder


@pytest.fixture(scope="session")
def photographs():
    """Eighteen pieces of scikit-learn's two photographs, a palace and a flower: uint8 `[147, 200, 3]`."""
    corners = [(top, left) for top in (0, 140, 280) for left in (0, 200, 400)]
    return [image[top : top + 147, left : left + 200] for image in load_sample_images().images for top, left in corners]


@pytest.fixture
def write_records():
    """Writes byte strings under the name of a feature to a TFRecord file."""

    def write(path, values, name="image"):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for value in values:
                feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                example = tf.train.Example(features=tf.train.Features(feature={name: feature}))
                writer.write(example.SerializeToString())
        return path

    return write


@pytest.fixture(scope="session")
def read_examples():
    """Reads the `tf.train.Example`s of TFRecord files."""

    def read(*paths):
        records = tf.data.TFRecordDataset(list(map(str, paths))).as_numpy_iterator()
        return [tf.train.Example.FromString(record).features.feature for record in records]

    return read
