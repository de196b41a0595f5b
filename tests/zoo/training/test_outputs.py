import keras
import numpy as np
import pytest

from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.models.record import Record
from lambda_keras.zoo.training import outputs

ROW = {"loss": 2.0, "accuracy": 0.1, "val_loss": 2.0, "val_accuracy": 0.1, "learning_rate": 0.1}


@pytest.fixture(scope="module")
def recipe():
    return recipe_file.load("digits", ["data.image_size=8"])


@pytest.fixture(scope="module")
def dataset(recipe):
    return catalog.load(recipe.data)


@pytest.fixture(scope="module")
def model():
    head = keras.layers.Dense(10, activation="softmax")
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), head], name="one_layer")


def test_all_files_of_a_finished_run(model, dataset, recipe, tmp_path):
    rows = [{"epoch": 1, **ROW}, {"epoch": 2, **ROW}]
    outputs.write(model, dataset, recipe, rows, tmp_path, check=lambda: None)
    written = {"model.keras", "record.json", "test.npz", "curves.png", "predictions.png"}
    assert {file.name for file in tmp_path.iterdir()} == written
    assert Record.read(tmp_path / run_folder.RECORD) == Record.of(recipe, dataset)
    with np.load(tmp_path / run_folder.TEST_SPLIT, allow_pickle=False) as test:
        expected = list(dataset.test.ordered().as_numpy_iterator())
        np.testing.assert_array_equal(test["images"], [image for image, _ in expected])
        np.testing.assert_array_equal(test["labels"], [label for _, label in expected])
        assert (test["images"].dtype, test["labels"].dtype) == (np.uint8, np.int64)
        assert test["class_names"].tolist() == list("0123456789")
        assert (test["mean"], test["std"]) == (np.float32(0.305), np.float32(0.376))
        saved = keras.models.load_model(tmp_path / run_folder.MODEL)
        np.testing.assert_array_equal(saved(test["images"]), model(test["images"]))


@pytest.mark.parametrize(("images", "step"), [(450, 1), (449, 2), (100, 5), (7, 65), (1, 450), (0, 450)])
def test_of_a_large_test_split_an_even_sample_is_kept(dataset, recipe, monkeypatch, images, step):
    monkeypatch.setattr(outputs, "SAMPLE_BYTES", images * 8 * 8)
    expected = list(dataset.test.ordered().as_numpy_iterator())[::step]
    sample, labels = outputs._sample(dataset, recipe)
    np.testing.assert_array_equal(sample, [image for image, _ in expected])
    np.testing.assert_array_equal(labels, [label for _, label in expected])


def test_the_end_tells_the_accuracy_and_the_folder(capsys):
    outputs.report(437 / 450, 450, "runs/digits")
    assert capsys.readouterr().out == (
        "Test accuracy 97.11%: 437 of 450 images that training never saw\nWrote runs/digits\n"
    )
