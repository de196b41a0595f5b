import dataclasses
import shutil

import numpy as np
import pytest

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.model_source import find


@pytest.fixture
def copy(saved_run, tmp_path):
    return shutil.copytree(saved_run, tmp_path / "run")


@pytest.mark.parametrize("name", ["", "model.keras"])
def test_a_run_or_its_file_is_loaded_with_its_record(saved_run, record, name):
    classifier = Classifier(find(saved_run / name))
    assert classifier.name == str(saved_run / "model.keras")
    assert classifier.folder == saved_run
    assert classifier.record == record


def test_it_normalises_with_the_records_mean_and_deviation(saved_run, model):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), "uint8")
    expected = model.predict((images / 255 - 0.305) / 0.376, verbose=0)
    np.testing.assert_allclose(Classifier(find(saved_run)).probabilities(images), expected, atol=1e-5)


def test_it_runs_a_graph(saved_run, layers_run_eagerly):
    classifier = Classifier(find(saved_run))
    layers_run_eagerly.clear()
    for _ in range(2):
        classifier.probabilities(np.zeros((1, 32, 32, 1), "uint8"))
    # Two lambda layers, traced once.
    assert layers_run_eagerly == [False, False]


def test_a_run_without_a_model_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no such file: .*model\.keras"):
        Classifier(find(tmp_path))


def test_a_model_without_its_record_is_refused(copy):
    (copy / "record.json").unlink()
    with pytest.raises(UserError, match=r"no such file: .*record\.json"):
        Classifier(find(copy))


@pytest.mark.parametrize("changes", [{"mean": (0.5,) * 3, "std": (0.25,) * 3}, {"class_names": ("cat", "dog")}])
def test_the_record_of_another_model_is_refused(copy, record, changes):
    other = dataclasses.replace(record, **changes) if "class_names" in changes else record.with_preprocessing(**changes)
    other.write(copy / "record.json")
    with pytest.raises(UserError, match=r"record of .*model\.keras is of another model: .* has 1 and 10"):
        Classifier(find(copy))


def test_a_model_of_one_size_is_rebuilt_for_another(saved_run):
    classifier = Classifier(find(saved_run), image_size=64)
    assert classifier.probabilities(np.zeros((1, 64, 64, 1), "uint8")).shape == (1, 10)


def test_the_record_of_another_size_is_refused(copy, record):
    record.with_preprocessing(image_size=64).write(copy / "record.json")
    with pytest.raises(UserError, match=r"images are 64x64, the model takes 32x32"):
        Classifier(find(copy))


@pytest.mark.parametrize("size", [8, 13])
def test_a_model_of_any_size_takes_any(colour_run, size):
    assert Classifier(find(colour_run), image_size=size).probabilities(np.zeros((1, size, size, 3), "uint8")).shape == (
        1,
        2,
    )


def test_probabilities_that_are_not_finite_are_refused(copy, model):
    original = model.layers[-1].get_weights()
    try:
        # Finite themselves; their sums are not.
        model.layers[-1].set_weights([np.full_like(weights, 3.4e38) for weights in original])
        model.save(copy / "model.keras")
    finally:
        model.layers[-1].set_weights(original)
    classifier = Classifier(find(copy))
    images = np.zeros((2, 32, 32, 1), "uint8")
    with pytest.raises(UserError, match="not finite: its training diverged"):
        classifier.probabilities(images)
    assert classifier.probabilities(images, np.array([False, False])).shape == (0, 10), "rows that only fill up"
