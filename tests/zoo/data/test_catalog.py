import dataclasses

import pytest

from lambda_keras.applications.imagenet import IMAGENET_MEAN, IMAGENET_STD
from lambda_keras.weights.catalog import records
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.sources import image_table
from lambda_keras.zoo.data.sources.image_table import Row
from lambda_keras.zoo.errors import UserError


def test_digits_by_name(recipe_data):
    dataset = catalog.load(recipe_data("digits", validation_fraction=0.3))
    assert (dataset.name, dataset.channels, len(dataset.class_names)) == ("digits", 1, 10)
    assert (dataset.validation.count, dataset.test.count) == (405, 450)


def test_an_image_folder_by_name(recipe_data, image_folder):
    dataset = catalog.load(recipe_data(), image_folder)
    assert dataset.class_names == ("cat", "dog", "owl")
    assert (dataset.channels, dataset.mean, dataset.std) == (3, IMAGENET_MEAN, IMAGENET_STD)
    assert [part.count for part in (dataset.train, dataset.validation, dataset.test)] == [21, 3, 6]


def test_an_image_table_by_name_with_the_channels_and_the_mean_of_a_recipe(recipe_data, image_folder, tmp_path):
    parts = enumerate(("train", "train", "validation", "test"))
    rows = [Row(image_folder / name / f"{number}.jpg", name, part) for number, part in parts for name in ("cat", "owl")]
    image_table.write(rows, tmp_path / "table.csv")
    data = recipe_data("image_table", channels=1, mean=(0.4,), std=(0.2,))
    dataset = catalog.load(data, tmp_path / "table.csv")
    assert (dataset.class_names, dataset.channels, dataset.mean, dataset.std) == (("cat", "owl"), 1, (0.4,), (0.2,))
    assert [part.count for part in (dataset.train, dataset.validation, dataset.test)] == [4, 2, 2]


def test_a_mean_of_other_channels(recipe_data):
    with pytest.raises(UserError, match="need 1 values, one for each channel of 'digits', got 3"):
        catalog.load(recipe_data("digits", mean=IMAGENET_MEAN, std=IMAGENET_STD))


def test_fashion_mnist_by_name_from_idx_files(recipe_data, tmp_path):
    for part, count in (("train", 20), ("t10k", 10)):
        sizes = count.to_bytes(4, "big")
        images = bytes([0, 0, 8, 3]) + sizes + (28).to_bytes(4, "big") * 2 + bytes(28 * 28 * count)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(images)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1]) + sizes + bytes(count))
    dataset = catalog.load(recipe_data("fashion_mnist"), tmp_path)
    assert (dataset.train.count, dataset.validation.count, dataset.test.count) == (18, 2, 10)
    assert (dataset.class_names[9], dataset.mean, dataset.std) == ("Ankle boot", (0.286,), (0.353,))


def test_what_the_catalog_of_weights_calls_a_dataset():
    known = {row.dataset for row in records()}
    assert {row: catalog.of_published(row) for row in known} == {
        "imagenet": ("imagenet2012", "validation"),
        "fashion_mnist": ("fashion_mnist", None),
        "digits": ("digits", None),
    }


@pytest.mark.parametrize("name", ["digits", "image_folder"])
def test_split_expressions_are_for_tensorflow_datasets(name, recipe_data, image_folder):
    data = recipe_data(name, train="train[:50%]", validation="train[50%:]")
    with pytest.raises(UserError, match=f"are for TensorFlow Datasets; {name} has its own parts"):
        catalog.load(data, image_folder)


def test_a_part_without_images(recipe_data, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    with pytest.raises(UserError, match="dataset 'image_folder' has no images for validation"):
        catalog.load(recipe_data(), tmp_path)


def test_randaugment_refuses_four_channels(recipe_data, monkeypatch):
    dataset = dataclasses.replace(catalog.load(recipe_data("digits")), channels=4)
    monkeypatch.setattr(catalog, "_load", lambda *arguments: dataset)
    with pytest.raises(UserError, match="RandAugment needs images of 1 or 3 channels, 'digits' has 4"):
        catalog.load(recipe_data("digits", randaugment_layers=1))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digit", "unknown dataset 'digit'; did you mean 'digits'"),
        ("imagenet2021", "unknown dataset 'imagenet2021'; did you mean 'imagenet2012'"),
        ("image-folder", "no dataset 'image-folder'"),
        ("mnist:9.9.9", "no dataset 'mnist:9.9.9' in TensorFlow Datasets: .*only: 3.0.1"),
        ("cifar10", r"no prepared dataset 'cifar10' in .*--data-dir"),
    ],
)
def test_names_that_are_not_there(name, expected, recipe_data, tmp_path):
    with pytest.raises(UserError, match=expected):
        catalog.load(recipe_data(name), tmp_path)
