"""The guides' examples for keras-hub, as they stand there. Google Colab has it, so `make test-colab` runs them."""

import pathlib
import re

import keras
import numpy as np
import pytest

pytest.importorskip("keras_hub")
DOCS = pathlib.Path(__file__).parents[2] / "docs"


def run_example(page):
    """The variables of a page's example after it was run."""
    blocks = re.findall(r"```text\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (block for block in blocks if "import keras_hub" in block)
    variables = {}
    exec(compile(example, page, "exec"), variables)
    return variables


def test_its_retinanet_is_trained_on_our_backbone():
    variables = run_example("detection.md")
    losses = variables["detector"].history.history["loss"]
    assert np.isfinite(losses).all()
    assert variables["found"]["boxes"].shape[::2] == (1, 4)


def test_its_classifier_is_trained_saved_and_loaded(tmp_path):
    classifier = run_example("zoo.md")["classifier"]
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    classifier.fit(images, np.arange(4) % 3, epochs=1, verbose=0)
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), classifier.predict(images, verbose=0))
