"""One small lambda model, its test images and its artifacts, made once for all tests of this room.

What takes seconds to make is a file in `folder`, which the workers of pytest-xdist share: the first that needs it makes
it, the others wait and read it.
"""

import dataclasses
import fcntl
import os
import runpy
import shutil
import sys

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import lambda_keras as lk
from lambda_keras.export.images.labelled import LabelledImages
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.export.serving import check
from lambda_keras.export.tflite.calibration import Calibration
from lambda_keras.export.tflite.quantization import CALIBRATED, KINDS
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.models.record import Record, TrainedOn


def blotches(count, seed, side=32):
    """Uint8 images of 4 by 4 fields of random colours: unlike noise, each has another mean and other edges."""
    fields = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype="uint8")
    return fields.repeat(side // 4, axis=1).repeat(side // 4, axis=2)


def randomise(model, scales, deviation, side):
    """Give BatchNorm random scales within `scales`, and the classifier weights of that standard deviation."""
    random = np.random.default_rng(0)
    for variable in model.variables:
        if variable.name == "gamma":
            variable.assign(random.uniform(*scales, variable.shape))
        elif variable.name in ("beta", "bias"):
            variable.assign(random.normal(0, 0.2, variable.shape))
    kernel = model.layers[-1].kernel
    kernel.assign(random.normal(0, deviation, kernel.shape))
    images = blotches(32, seed=0, side=side)
    model(lk.preprocess_input(images), training=True)  # the statistics of real activations


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder for what is made once; all workers of pytest-xdist have the same."""
    of_this_process = tmp_path_factory.getbasetemp()
    parent = of_this_process.parent if "PYTEST_XDIST_WORKER" in os.environ else of_this_process
    (parent / "export").mkdir(exist_ok=True)
    return parent / "export"


def once(path, make):
    """Has `make(path)` write a file or a folder, unless another worker has written it, and returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = path.with_name(f"{path.name}.done")
    with open(path.with_name(f"{path.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make(path)
            done.touch()
    return path


@pytest.fixture(scope="session")
def make_random():
    """Makes a model with random weights, of which every one matters for the result.

    As it is built, residual blocks that end in a BatchNorm of scale zero add nothing, moving statistics are 0
    and 1, and all probabilities are about alike.

    The residual branches of deep models are damped: with larger scales a change of the images by one float32 rounding
    already changes the probabilities of LambdaResNet-50 by more than 1e-4.
    """

    def make_random(name, side, scales=(0.1, 0.5), deviation=0.05, **fields):
        keras.utils.set_random_seed(0)
        model = lk.create_model(name, input_shape=(side, side, 3), classes=10, batch_norm_momentum=0.0, **fields)
        randomise(model, scales, deviation, side or 32)
        return model

    return make_random


@pytest.fixture(scope="session")
def model_file(make_random, folder):
    def make(path):
        make_random("lambda_resnet_tiny", 32, scales=(0.5, 1.5), deviation=0.5).save(path)

    return once(folder / "model.keras", make)


@pytest.fixture(scope="session")
def model(model_file):
    return keras.models.load_model(model_file)


@pytest.fixture(scope="session")
def operations():
    """Reads from a TFLite file itself which operations it has: those of Flex are `CUSTOM`."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}

    def operations(path):
        content = schema.Model.GetRootAs(path.read_bytes(), 0)
        return {names[content.OperatorCodes(i).BuiltinCode()] for i in range(content.OperatorCodesLength())}

    return operations


def pixels_of_digits(is_test):
    """Every fourth of the digits with its label, or the others, in pixels of 2 by 2."""
    images, labels = digits.load_arrays()
    chosen = (np.arange(len(images)) % 4 == 0) == is_test
    return images[chosen].repeat(2, axis=1).repeat(2, axis=2), labels[chosen]


@pytest.fixture(scope="session")
def digits_record():
    preprocessor = Preprocessor(16, 1.0, "bicubic", mean=(0.305,), std=(0.376,))
    return Record("lambda_resnet_tiny", preprocessor, tuple("0123456789"), TrainedOn("digits"))


@pytest.fixture(scope="session")
def digits_run(digits_record, folder):
    """A folder with its record and lambda_resnet_tiny, trained: quantised weights of chance would say nothing."""

    def make(run):
        keras.utils.set_random_seed(0)
        model = lk.create_model("lambda_resnet_tiny", input_shape=(16, 16, 1), classes=10, batch_norm_momentum=0.9)
        images, labels = pixels_of_digits(is_test=False)
        model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
        preprocessor = digits_record.preprocessor
        images = lk.preprocess_input(images, mean=preprocessor.mean, std=preprocessor.std)
        model.fit(np.asarray(images), labels, batch_size=32, epochs=6, verbose=0)
        run.mkdir()
        model.save(run / "model.keras")
        digits_record.write(run / "record.json")

    return once(folder / "digits", make)


@pytest.fixture(scope="session")
def digits_model(digits_run):
    return keras.models.load_model(digits_run / "model.keras")


@pytest.fixture(scope="session")
def digits_test(digits_record):
    return LabelledImages(
        *pixels_of_digits(is_test=True),
        np.float32(digits_record.preprocessor.mean),
        np.float32(digits_record.preprocessor.std),
    )


@pytest.fixture(scope="session")
def digits_calibration(digits_record):
    images, _ = pixels_of_digits(is_test=False)
    return Calibration(
        images[:200],
        images[200:250],
        np.float32(digits_record.preprocessor.mean),
        np.float32(digits_record.preprocessor.std),
    )


@pytest.fixture(scope="session")
def digits_folder(folder):
    """Sixty digits as image files, in folders of their classes."""

    def make(path):
        images, labels = pixels_of_digits(is_test=False)
        for index in range(60):
            class_folder = path / str(labels[index])
            class_folder.mkdir(parents=True, exist_ok=True)
            keras.utils.save_img(class_folder / f"{index}.png", images[index], scale=False)

    return once(folder / "images", make)


@pytest.fixture(scope="session")
def quantized(digits_model, digits_calibration, digits_record, folder):
    """By kind, the TFLite file of the trained model."""

    def make(path):
        calibration = digits_calibration if path.stem in CALIBRATED else None
        export_tflite(digits_model, path, quantization=path.stem, calibration=calibration, record=digits_record)

    return {kind: once(folder / "quantized" / f"{kind}.tflite", make) for kind in KINDS}


@pytest.fixture(scope="session")
def plain_model():
    """The least that is an image classifier, for tests of files rather than numbers."""
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="session")
def plain_record(record):
    """Its record, for images as small as a record may have them."""
    record = dataclasses.replace(record, class_names=("red", "green", "blue"))
    return record.with_preprocessing(image_size=8)


@pytest.fixture(scope="session")
def plain_file(plain_model, tmp_path_factory):
    """The plain model alone, which is loaded at once."""
    path = tmp_path_factory.mktemp("plain") / "model.keras"
    plain_model.save(path)
    return path


@pytest.fixture(scope="session")
def plain_run(plain_model, plain_record, tmp_path_factory):
    """The plain model with its record. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("plain_run")
    plain_model.save(folder / "model.keras")
    plain_record.write(folder / "record.json")
    return folder


@pytest.fixture(scope="session")
def images(model):
    """Eight float32 images as the model takes them, of which it says different things."""
    images = np.asarray(lk.preprocess_input(blotches(8, seed=1)))
    probabilities = model.predict(images, verbose=0)
    assert len(set(probabilities.argmax(-1))) > 1
    assert probabilities.max() > 0.5
    return images


@pytest.fixture(scope="session")
def arrays():
    """The arrays of the test.npz that training writes; 37 images are one full batch and a rest."""
    return {
        "images": blotches(37, seed=2),
        "labels": np.random.default_rng(2).integers(0, 10, 37),
        "mean": np.array([0.4, 0.45, 0.5], "float32"),
        "std": np.array([0.2, 0.25, 0.3], "float32"),
        "class_names": np.array([str(digit) for digit in range(10)]),
    }


@pytest.fixture(scope="session")
def data_file(arrays, folder):
    return once(folder / "test.npz", lambda path: np.savez(path, **arrays))


@pytest.fixture(scope="session")
def saved_model(model, folder):
    return once(folder / "saved_model", lambda path: export_saved_model(model, path)) / "1"


@pytest.fixture(scope="session")
def tflite(model, folder):
    return once(folder / "model.tflite", lambda path: export_tflite(model, path))


@pytest.fixture(scope="session")
def record():
    preprocessor = Preprocessor(32, 0.875, "bicubic", mean=(0.4, 0.45, 0.5), std=(0.2, 0.25, 0.3))
    return Record("lambda_resnet_tiny", preprocessor, tuple("ABCDEFGHIJ"))


@pytest.fixture(scope="session")
def run_of_model(model_file, record, tmp_path_factory):
    """The model with its record, as training leaves both. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copy(model_file, folder)
    record.write(folder / "record.json")
    return folder


@pytest.fixture(scope="session")
def server_model(model, record, folder):
    """The SavedModel with preprocessing inside and all signatures."""
    path = folder / "server_model"
    return once(path, lambda path: export_saved_model(model, path, record, features=True)) / "1"


@pytest.fixture(scope="session")
def frozen_server_model(model, record, folder):
    path = folder / "frozen"
    return once(path, lambda path: export_saved_model(model, path, record, features=True, freeze=True)) / "1"


@pytest.fixture(scope="session")
def raw_images():
    """Eight uint8 images as clients send them."""
    return blotches(8, seed=1)


@pytest.fixture(scope="session")
def normalised(raw_images, record):
    """The same as the model takes them."""
    return np.asarray(lk.preprocess_input(raw_images, mean=record.preprocessor.mean, std=record.preprocessor.std))


@pytest.fixture(scope="session")
def image_files(tmp_path_factory):
    """A file of each kind and of several sizes."""
    folder = tmp_path_factory.mktemp("files")
    for number, suffix in enumerate((".png", ".jpg", ".bmp", ".gif")):
        pixels = np.kron(blotches(1, seed=number)[0], np.ones((1 + number, 2, 1), "uint8"))
        keras.utils.save_img(folder / f"{number}{suffix}", pixels, scale=False)
    return sorted(folder.iterdir())


@pytest.fixture
def _answers_here(monkeypatch):
    """`run_requests.py` in this process, where TensorFlow is at hand; some tests have it in its own."""
    with monkeypatch.context() as blocked:
        for name in ("lambda_keras", "keras", "tf_keras"):  # which it forbids itself
            blocked.setitem(sys.modules, name, sys.modules.get(name))
        main = runpy.run_path(str(check.RUNNER))["main"]
    monkeypatch.setattr(check, "_answer", main)
