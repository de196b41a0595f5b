import dataclasses
import json
from types import SimpleNamespace

import pytest

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.record import Record, TrainedOn
from lambda_keras.zoo.recipe import Data, Recipe

MISSING = object()


@pytest.fixture
def record_file(record, tmp_path):
    record.write(tmp_path / "record.json")
    return tmp_path / "record.json"


def edit(path, changes):
    """Changes keys of a JSON file; the value `MISSING` removes the key."""
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not MISSING}))


def test_of_takes_the_recipes_preprocessing_and_the_datasets_statistics():
    data = {"name": "fashion_mnist", "train": "train[20:]", "validation": "train[:20]", "test": "test[5:]"}
    data |= {"image_size": 48, "evaluation_crop": 0.875, "interpolation": "bilinear", "crop": "inception"}
    training = {"epochs": 1, "batch_size": 1, "optimizer": "adamw", "learning_rate": 0.1}
    recipe = Recipe.model_validate({"model": {"name": "lambda_resnet_tiny"}, "data": data, "training": training})
    dataset = SimpleNamespace(name="fashion_mnist", class_names=("a", "b"), channels=1, mean=(0.25,), std=(0.5,))
    record = Record.of(recipe, dataset)
    assert record.model == "lambda_resnet_tiny"
    assert (record.preprocessor.channels, record.preprocessor.mean, record.preprocessor.std, record.class_names) == (
        1,
        (0.25,),
        (0.5,),
        ("a", "b"),
    )
    evaluated = ("name", "train", "validation", "test", "validation_fraction", "image_size", "evaluation_crop")
    for field in (*evaluated, "interpolation"):
        assert getattr(record.data(), field) == getattr(recipe.data, field)


def test_the_record_of_a_model_that_was_not_trained_here():
    preprocessor = Preprocessor(288, 0.95, "bilinear", mean=(0.25, 0.5), std=(0.5, 0.25))
    record = Record("shared", preprocessor, ["a", "b", "c"])
    assert (record.preprocessor.channels, record.class_names, record.dataset) == (2, ("a", "b", "c"), None)
    data = record.data("cats_vs_dogs")
    assert (data.image_size, data.evaluation_crop, data.interpolation) == (288, 0.95, "bilinear")
    record = Record("known", preprocessor, ["a"], TrainedOn("imagenet2012", test="validation"))
    assert (record.data().name, record.data().test, record.data().train) == ("imagenet2012", "validation", None)
    assert record.data("cats_vs_dogs").test is None, "splits are of one dataset"


@pytest.mark.parametrize(
    ("image_size", "class_names", "expected"),
    [
        (4096, ["a"], "the images of shared: image_size must be less than or equal to 1024, got 4096"),
        (32, [1], "the record of shared: class_names.0 must be a valid string, got 1"),
        (32, [], "the record of shared: class_names"),
    ],
)
def test_what_a_shared_model_cannot_have(image_size, class_names, expected):
    with pytest.raises(UserError, match=expected):
        Record("shared", Preprocessor(image_size), class_names)


def test_a_written_record_reads_back_the_same_and_leaves_nothing_else(record, record_file):
    assert Record.read(record_file) == record
    assert list(record_file.parent.iterdir()) == [record_file]
    assert json.loads(record_file.read_text())["class_names"] == list("0123456789")


def test_the_form_on_disk_is_that_of_records_written_before(record, tmp_path):
    """As commit 0d1eb55 wrote it; a program of that time reads what is written now."""
    before = """{
  "model": "lambda_resnet_tiny",
  "image_size": 32,
  "evaluation_crop": 1.0,
  "interpolation": "bicubic",
  "mean": [
    0.305
  ],
  "std": [
    0.376
  ],
  "channels": 1,
  "class_names": [
    "a",
    "ü"
  ],
  "dataset": "fashion_mnist",
  "train_split": "train[20:]",
  "validation_split": "train[:20]",
  "test_split": null,
  "validation_fraction": 0.1
}
"""
    (tmp_path / "before.json").write_text(before, encoding="utf-8")
    read = Record.read(tmp_path / "before.json")
    trained_on = TrainedOn("fashion_mnist", train="train[20:]", validation="train[:20]")
    assert read == dataclasses.replace(record, class_names=("a", "ü"), trained_on=trained_on)
    read.write(tmp_path / "now.json")
    assert (tmp_path / "now.json").read_text(encoding="utf-8") == before


def test_it_cannot_be_changed_by_accident(record):
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.model = "other"


def test_data_with_changes(record):
    changed = record.with_preprocessing(image_size=64, evaluation_crop=0.5).data()
    assert (changed.image_size, changed.evaluation_crop, changed.name) == (64, 0.5, "digits")


def test_a_change_out_of_bounds_is_refused(record):
    with pytest.raises(UserError, match="image_size must be greater than or equal to 8, got 4"):
        record.with_preprocessing(image_size=4)
    with pytest.raises(UserError, match=r"evaluation_crop must be greater than or equal to 0\.1, got 0"):
        record.with_preprocessing(evaluation_crop=0)


def test_a_missing_file_says_what_it_is_for(tmp_path):
    with pytest.raises(UserError, match=r"no such file: .*record.json; it says how the model beside it wants"):
        Record.read(tmp_path / "record.json")


@pytest.mark.parametrize("content", [b"", b'{"model": "lambda', b"\xff\xfe\x00", b"[1, 2]"])
def test_a_damaged_file(tmp_path, content):
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(UserError, match=r"record.json is damaged: .*copy it"):
        Record.read(tmp_path / "record.json")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"flavour": 1}, r"unknown key flavour \(allowed: model, image_size, .*validation_fraction\)"),
        ({"mean": MISSING}, "mean is missing"),
        ({"image_size": "large"}, "image_size must be a valid integer.*got 'large'"),
        ({"image_size": 4}, "image_size must be greater than or equal to 8, got 4"),
        ({"interpolation": "nearest"}, "interpolation must be 'bilinear' or 'bicubic', got 'nearest'"),
        ({"std": [0.0]}, r"std\.0 must be greater than 0, got 0\.0"),
        ({"channels": 3}, "mean and std need 3 values, one for each channel"),
        ({"class_names": []}, "class_names .* at least 1"),
    ],
)
def test_wrong_keys_and_values_are_named(record_file, changes, expected):
    edit(record_file, changes)
    with pytest.raises(UserError, match=expected):
        Record.read(record_file)


def test_the_users_own_files_are_read_with_the_models_channels(record, colour_record):
    assert colour_record.data().channels == 3
    assert record.data("image_table").channels == 1
    assert record.data().channels is None
    with pytest.raises(ValueError, match="channels is for image_folder and image_table; digits has its own"):
        Data(name="digits", image_size=32, channels=3)
