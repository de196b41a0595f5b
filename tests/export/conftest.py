"""One small lambda model, its test images and its artifacts, made once for all tests of this room."""

import keras
import numpy as np
import pytest

import lambda_keras as lk
from export.saved_model import export_saved_model
from export.tflite import export_tflite


def blotches(count, seed, side=32):
    """Uint8 images of 4 by 4 fields of random colours: unlike noise, each has another mean and other edges."""
    fields = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), dtype="uint8")
    return fields.repeat(side // 4, axis=1).repeat(side // 4, axis=2)


def randomise(model, scales, deviation):
    """Give BatchNorm random scales within `scales`, and the classifier weights of that standard deviation."""
    random = np.random.default_rng(0)
    for variable in model.variables:
        if variable.name == "gamma":
            variable.assign(random.uniform(*scales, variable.shape))
        elif variable.name in ("beta", "bias"):
            variable.assign(random.normal(0, 0.2, variable.shape))
    kernel = model.layers[-1].kernel
    kernel.assign(random.normal(0, deviation, kernel.shape))
    images = blotches(32, seed=0, side=model.input_shape[1])
    model(lk.preprocess_input(images), training=True)  # the statistics of real activations


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="session")
def model():
    """lambda_resnet_tiny with random weights, of which every one matters for the result.

    As it is built, residual blocks that end in a BatchNorm of scale zero add nothing, moving statistics are 0
    and 1, and all probabilities are about alike.
    """
    keras.utils.set_random_seed(0)
    model = lk.create_model("lambda_resnet_tiny", classes=10, batch_norm_momentum=0.0)
    randomise(model, scales=(0.5, 1.5), deviation=0.5)
    return model


@pytest.fixture(scope="session")
def lambda_resnet50():
    """LambdaResNet-50, its weights as random.

    Its residual branches are damped: with larger scales a change of the images by one float32 rounding already
    changes the probabilities by more than 1e-4.
    """
    keras.utils.set_random_seed(0)
    model = lk.create_model("lambda_resnet50", input_shape=(64, 64, 3), classes=10, batch_norm_momentum=0.0)
    randomise(model, scales=(0.1, 0.5), deviation=0.05)
    return model


@pytest.fixture(scope="session")
def plain_model():
    """The least that is an image classifier, for tests of files rather than numbers."""
    inputs = keras.Input((4, 4, 3))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="session")
def images(model):
    """Eight float32 images as the model takes them, of which it says different things."""
    images = np.asarray(lk.preprocess_input(blotches(8, seed=1)))
    probabilities = model.predict(images, verbose=0)
    assert len(set(probabilities.argmax(-1))) > 1
    assert probabilities.max() > 0.5
    return images


@pytest.fixture(scope="session")
def model_file(model, folder):
    model.save(folder / "model.keras")
    return folder / "model.keras"


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
    np.savez(folder / "test.npz", **arrays)
    return folder / "test.npz"


@pytest.fixture(scope="session")
def saved_model(model, folder):
    return export_saved_model(model, folder / "saved_model")


@pytest.fixture(scope="session")
def tflite(model, folder):
    return export_tflite(model, folder / "model.tflite")
