"""TensorFlow, jax and torch give the same numbers, each in a process of its own."""

import json
import types

import numpy as np
import pytest

import lambda_keras as lk
from tests.lambda_keras.on_backend import CHECKS, FEW_BLOCKS

BACKENDS = ["tensorflow", *(pytest.param(name, marks=pytest.mark.backends) for name in ("jax", "torch"))]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model that TensorFlow saved, images for it, and what it says of them."""
    folder = tmp_path_factory.mktemp("saved")
    model = lk.create_model("lambda_resnet_tiny", **FEW_BLOCKS)
    rng = np.random.default_rng(0)
    # Weights of which every one matters: residual branches start at zero otherwise.
    model.set_weights([w + 0.1 * rng.random(w.shape).astype("float32") for w in model.get_weights()])
    images = rng.normal(size=(4, 32, 32, 3)).astype("float32")
    model.save(folder / "model.keras")
    np.save(folder / "images.npy", images)
    predictions = model.predict(images, verbose=0)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    loss = float(model.train_on_batch(images, np.arange(4)))
    return types.SimpleNamespace(folder=folder, predictions=predictions, loss=loss)


@pytest.fixture(scope="module", params=BACKENDS)
def outcome(request, saved, run_python, tmp_path_factory):
    """The folder that `on_backend.py` wrote."""
    folder = tmp_path_factory.mktemp(request.param)
    files = [saved.folder / "model.keras", saved.folder / "images.npy", folder]
    script = "import runpy; runpy.run_module('tests.lambda_keras.on_backend', run_name='__main__', alter_sys=False)"
    run_python(script, request.param, *files, KERAS_BACKEND=request.param)
    return folder


@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_the_same_holds(outcome, check):
    failure = json.loads((outcome / "failures.json").read_text())[check]
    assert failure is None, failure


def test_a_model_saved_here_predicts_the_same_and_trains_there(outcome, saved):
    np.testing.assert_allclose(np.load(outcome / "predictions.npy"), saved.predictions, atol=1e-5)
    assert json.loads((outcome / "loss.json").read_text()) == pytest.approx(saved.loss, rel=1e-3)


def test_import_brings_nothing_from_the_rooms_on_the_right(run_python):
    printed = run_python(
        "import sys, lambda_keras\n"
        "print(set(sys.modules) & {'lambda_keras.zoo', 'lambda_keras.export', 'yaml', 'tensorflow_datasets'})",
        cold=True,
    )
    assert printed.strip() == "set()"
