"""Small image files, and saved classifiers with their records, made once for the tests that load and predict."""

import io
import pathlib
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import lambda_keras as lk
from lambda_keras.weights import Preprocessor
from lambda_keras.weights.fetch import sha256_of
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.models.record import Record, TrainedOn


@pytest.fixture(scope="session")
def encode():
    """Encodes pixels, uint8 `[height, width, 3]`, as a file of a mode and kind of Pillow."""

    def to_bytes(pixels, kind="PNG", mode="RGB", **options):
        file = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(file, kind, **options)
        return file.getvalue()

    return to_bytes


@pytest.fixture(scope="session")
def photo():
    """Draws a smooth picture, uint8 `[height, width, 3]`, another one for each number."""

    def draw(number, height=48, width=64):
        coarse = np.random.default_rng(number).integers(0, 256, (4, 5, 3), "uint8")
        return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))

    return draw


@pytest.fixture(scope="session")
def model():
    """An untrained lambda_resnet_tiny for 32×32 grey images that says different things of different digits."""
    keras.utils.set_random_seed(0)
    model = lk.create_model("lambda_resnet_tiny", input_shape=(32, 32, 1), classes=10, batch_norm_momentum=0.0)
    images, _ = digits.load_arrays()
    images = images[:64].repeat(4, axis=1).repeat(4, axis=2)
    images = lk.preprocess_input(images, mean=[0.305], std=[0.376])
    model(images, training=True)  # the statistics of real activations
    top = model.layers[-1]
    top.kernel.assign(np.random.default_rng(0).normal(0, 0.5, top.kernel.shape))
    # No class is more probable than the others on the whole.
    embeddings = keras.Model(model.input, top.input).predict(images, verbose=0)
    top.bias.assign(-embeddings.mean(axis=0) @ top.kernel.numpy())
    return model


@pytest.fixture(scope="session")
def record():
    preprocessor = Preprocessor(32, 1.0, "bicubic", mean=(0.305,), std=(0.376,))
    return Record("lambda_resnet_tiny", preprocessor, tuple("0123456789"), TrainedOn("digits"))


@pytest.fixture(scope="session")
def saved_run(model, record, tmp_path_factory):
    """A folder with the model's model.keras and record.json. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("digits")
    model.save(folder / "model.keras")
    record.write(folder / "record.json")
    return folder


@pytest.fixture(scope="session")
def colour_record():
    preprocessor = Preprocessor(8, 1.0, "bicubic", mean=(0.5,) * 3, std=(0.25,) * 3)
    return Record("colours", preprocessor, ("blue", "red"), TrainedOn("image_folder"))


@pytest.fixture(scope="session")
def colour_run(colour_record, tmp_path_factory):
    """The same of a model that tells red images of any size from blue ones."""
    folder = tmp_path_factory.mktemp("colours")
    inputs = keras.Input((None, None, 3))
    top = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(inputs, top(keras.layers.GlobalAveragePooling2D()(inputs)))
    top.set_weights([np.array([[-1, 1], [0, 0], [1, -1]]), np.zeros(2)])
    model.save(folder / "model.keras")
    colour_record.write(folder / "record.json")
    return folder


def share(model, tmp_path_factory):
    """A folder with a model of digits as `save_pretrained` writes it. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("shared") / "digits"
    preprocessor = Preprocessor(model.input_shape[1], evaluation_crop=1.0, mean=(0.305,), std=(0.376,))
    lk.save_pretrained(model, folder, preprocessor, class_names="0123456789")
    return folder


@pytest.fixture(scope="session")
def shared(model, tmp_path_factory):
    """The folder of the same model."""
    return share(model, tmp_path_factory)


@pytest.fixture(scope="session")
def hub_cache(tmp_path_factory):
    """A cache of the Hub's with random weights as timm publishes them for lambda_resnet26t."""
    folder = tmp_path_factory.mktemp("hub")
    repository = folder / "models--timm--lambda_resnet26t.c1_in1k"
    snapshot = repository / "snapshots" / ("c0" * 20)
    for path in (snapshot, repository / "refs", repository / "blobs"):
        path.mkdir(parents=True)
    # Its tables are local: the weights are those for every image size.
    model = lk.create_model("lambda_resnet26t", input_shape=(32, 32, 3))
    # One class stands out.
    model.get_layer("predictions").bias.assign(np.eye(1000)[207] * 5)
    lk.export_to_timm(model, folder / "model.safetensors")
    blob = repository / "blobs" / sha256_of(folder / "model.safetensors")
    shutil.move(folder / "model.safetensors", blob)
    (snapshot / "model.safetensors").symlink_to(blob)
    (repository / "refs" / "main").write_text(snapshot.name)
    return folder


@pytest.fixture
def hub(hub_cache, monkeypatch):
    """That cache in the place of the user's, offline."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub_cache))
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    return hub_cache / "models--timm--lambda_resnet26t.c1_in1k"


@pytest.fixture(scope="session")
def fashion_mnist_folder():
    """The real Fashion-MNIST as Debian's package installs it; `.ci/run` does so, elsewhere the test is skipped."""
    folder = pathlib.Path("/usr/share/datasets/fashion-mnist")
    if not folder.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    return folder
