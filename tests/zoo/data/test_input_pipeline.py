import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.data import catalog, input_pipeline
from lambda_keras.zoo.data.images import resizing
from lambda_keras.zoo.data.splits import ArraySplit, FileSplit
from lambda_keras.zoo.recipe import Data
from tests.zoo.data.conftest import DAMAGED

COUNT, SIZE = 30, 8
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 1), "uint8")
LABELS = np.arange(COUNT) % 10
SPLIT = ArraySplit(IMAGES, LABELS)
EVERYTHING = {"crop": "inception", "horizontal_flip": True, "randaugment_layers": 1, "random_erasing": 0.5}


@pytest.fixture(scope="module")
def digits():
    return catalog.load(Data(name="digits", image_size=SIZE))


def take(batches, count):
    """The rows of the first batches as one dictionary of arrays."""
    taken = list(batches.take(count).as_numpy_iterator())
    rows = {key: np.concatenate([batch[key] for batch in taken]) for key in ("image", "target", "valid")}
    return {**rows, "label": input_pipeline.labels(rows["target"]).numpy()}


def assert_equal(one, other):
    for key in ("image", "target", "valid"):
        np.testing.assert_array_equal(one[key], other[key])


def index_of(image, candidates):
    """The one candidate that an image equals."""
    matches = np.flatnonzero((candidates == image).all(axis=(1, 2, 3)))
    assert len(matches) == 1
    return int(matches[0])


@pytest.fixture
def training(digits, recipe_data):
    def batches(batch_size=10, seed=0, start=0, shard=0, num_shards=1, **options):
        data = recipe_data("digits", **{"image_size": SIZE, **options})
        return input_pipeline.training_batches(
            SPLIT, digits, data, batch_size=batch_size, seed=seed, start=start, shard=shard, num_shards=num_shards
        )

    return batches


def test_training_batches_are_full_endless_and_of_static_shape(training):
    batches = training(batch_size=7, image_size=12)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    assert batches.element_spec == {
        "image": tf.TensorSpec([7, 12, 12, 1], tf.uint8),
        "target": tf.TensorSpec([7, 10], tf.float32),
        "valid": tf.TensorSpec([7], tf.bool),
    }


def test_without_augmentation_each_epoch_is_another_order_of_the_same_images(training):
    rows = take(training(), 6)
    found = [index_of(image, IMAGES) for image in rows["image"]]
    assert sorted(found[:COUNT]) == sorted(found[COUNT:]) == list(range(COUNT))
    assert found[:COUNT] != found[COUNT:]
    np.testing.assert_array_equal(rows["label"], LABELS[found])
    assert rows["valid"].all()


def test_crops_are_windows_of_the_padded_images(training):
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    windows = np.concatenate([padded[:, y : y + SIZE, x : x + SIZE] for y in range(5) for x in range(5)])
    rows = take(training(crop="pad", crop_padding=2), 9)
    found = np.array([index_of(image, windows) for image in rows["image"]])
    assert sorted(found[:COUNT] % COUNT) == list(range(COUNT))
    np.testing.assert_array_equal(rows["label"], LABELS[found % COUNT])
    assert len(set(found // COUNT)) > 15, "of the 25 offsets, 90 crops hit most"


def test_half_of_the_images_are_mirrored(training):
    candidates = np.concatenate([IMAGES, IMAGES[:, :, ::-1]])
    rows = take(training(horizontal_flip=True), 30)
    mirrored = np.mean([index_of(image, candidates) >= COUNT for image in rows["image"]])
    assert 0.4 < mirrored < 0.6


@pytest.mark.parametrize("options", [{}, {"crop": "pad", "crop_padding": 2, "horizontal_flip": True}])
def test_a_seed_gives_one_stream(training, options):
    first, again, other = (take(training(seed=seed, **options), 5) for seed in (3, 3, 4))
    assert_equal(first, again)
    assert (first["image"] != other["image"]).any()


def test_a_resumed_and_a_shared_stream_are_the_stream_with_all_augmentation(training):
    """RandAugment is traced four times, which takes about 15 seconds."""
    whole = take(training(**EVERYTHING), 6)
    assert_equal(take(training(**EVERYTHING, start=20), 4), {key: rows[20:] for key, rows in whole.items()})
    for shard in (0, 1):
        part = take(training(**EVERYTHING, batch_size=5, start=20, shard=shard, num_shards=2), 4)
        assert_equal(part, {key: rows[20 + shard :: 2] for key, rows in whole.items()})


def test_randaugment_gets_bytes_of_the_models_size(training, monkeypatch):
    seen = []

    def spy(image, layers, magnitude, seed):
        seen.append((image.dtype, image.shape, layers, magnitude))
        return image

    monkeypatch.setattr("lambda_keras.zoo.data.augmentation.variation.rand_augment", spy)
    take(training(image_size=12, randaugment_layers=2, randaugment_magnitude=7), 1)
    assert seen == [(tf.uint8, (12, 12, 1), 2, 7)]


# Evaluation.


def evaluation(split, dataset, data, **options):
    batches = input_pipeline.evaluation_batches(split, dataset, data, **options)
    cardinality = int(batches.cardinality())
    rows = take(batches, -1)
    assert len(rows["valid"]) == cardinality * options["batch_size"]
    return rows


@pytest.mark.parametrize("augmentation", [{}, EVERYTHING, {"crop": "pad", "crop_padding": 3, "mixup": 1, "cutmix": 1}])
def test_evaluation_is_never_augmented(digits, recipe_data, augmentation):
    rows = evaluation(SPLIT, digits, recipe_data(image_size=SIZE, **augmentation), batch_size=8)
    assert rows["valid"].tolist() == [True] * COUNT + [False] * 2
    np.testing.assert_array_equal(rows["image"][:COUNT], IMAGES)
    np.testing.assert_array_equal(rows["label"][:COUNT], LABELS)
    assert not rows["image"][COUNT:].any()


def test_evaluation_of_files_is_pillows_crop_of_each(image_folder, recipe_data):
    data = recipe_data(image_size=24, evaluation_crop=0.75, **EVERYTHING)
    dataset = catalog.load(data, image_folder)
    rows = evaluation(dataset.test, dataset, data, batch_size=4)
    for row, (encoded, label) in enumerate(dataset.test.ordered()):
        # Compared with Pillow in test_resizing.py.
        whole = tf.io.decode_jpeg(encoded, dct_method="INTEGER_ACCURATE")
        expected = resizing.resize(whole, resizing.middle(tf.shape(whole)[:2], 24, 0.75, "bicubic"))
        np.testing.assert_array_equal(rows["image"][row], expected)
        assert rows["label"][row] == label
    assert rows["valid"].sum() == dataset.test.count == 6


def test_shards_take_equally_many_batches(digits, recipe_data):
    data = recipe_data(image_size=SIZE)
    found = []
    for shard in range(4):
        rows = evaluation(SPLIT, digits, data, batch_size=3, num_batches=4, shard=shard, num_shards=4)
        assert len(rows["valid"]) == 12
        found += [index_of(image, IMAGES) for image in rows["image"][rows["valid"]]]
    assert sorted(found) == list(range(COUNT))


def test_a_shard_may_have_no_images(digits, recipe_data):
    split = ArraySplit(IMAGES[:2], LABELS[:2])
    rows = evaluation(split, digits, recipe_data(image_size=SIZE), batch_size=2, num_batches=1, shard=2, num_shards=3)
    assert rows["valid"].tolist() == [False, False]


def test_too_few_batches_are_refused(digits, recipe_data):
    with pytest.raises(ValueError, match="30 images need 4 batches of 8, got num_batches=3"):
        input_pipeline.evaluation_batches(SPLIT, digits, recipe_data(), batch_size=8, num_batches=3)


# Images that cannot be read.


@pytest.fixture(params=["none", "inception"])
def damaged(request, damaged_folder, recipe_data):
    """A dataset whose training part is all 16 files of the folder with the damaged ones, and its recipe."""
    data = recipe_data(image_size=16, crop=request.param)
    dataset = catalog.load(data, damaged_folder)
    files = sorted(damaged_folder.glob("*/*"))
    split = FileSplit(files, np.arange(len(files)))
    dataset = dataclasses.replace(dataset, train=split, class_names=tuple(map(str, range(len(files)))))
    return dataset, data, {i for i, file in enumerate(files) if file.name in DAMAGED}


def test_damaged_images_are_replaced_in_training(damaged):
    dataset, data, bad = damaged
    batches = input_pipeline.training_batches(dataset.train, dataset, data, batch_size=8, seed=0)
    order = [int(label) for _, _, label in dataset.train.shuffled(0).take(64)]
    for batch, rows in enumerate(batches.take(8).as_numpy_iterator()):
        expected = np.array(order[8 * batch : 8 * batch + 8])
        assert rows["valid"].tolist() == [index not in bad for index in expected]
        first = int(np.argmax(rows["valid"]))
        for row in np.flatnonzero(~rows["valid"]):
            np.testing.assert_array_equal(rows["image"][row], rows["image"][first])
        np.testing.assert_array_equal(
            input_pipeline.labels(rows["target"]), np.where(rows["valid"], expected, expected[first])
        )


def test_damaged_images_are_not_valid_in_evaluation(damaged):
    dataset, data, bad = damaged
    rows = evaluation(dataset.train, dataset, data, batch_size=5)
    assert np.flatnonzero(~rows["valid"]).tolist() == [*sorted(bad), 16, 17, 18, 19]
    assert not rows["image"][~rows["valid"]].any()
    assert rows["image"][rows["valid"]].any(axis=(1, 2, 3)).all()


def test_a_batch_of_damaged_images_is_black(damaged, damaged_folder):
    dataset, data, _ = damaged
    data = data.model_copy(update={"random_erasing": 1.0})
    split = FileSplit([damaged_folder / "cat" / name for name in DAMAGED], [3, 3, 3, 3])
    rows = take(input_pipeline.training_batches(split, dataset, data, batch_size=4, seed=0), 2)
    assert not rows["valid"].any()
    assert not rows["image"].any()
    assert rows["label"].tolist() == [3] * 8


@pytest.mark.parametrize("crop", ["none", "inception"])
def test_files_of_other_modes_are_read(crop, encode, photo, recipe_data, digits, tmp_path):
    modes = {"L": "JPEG", "CMYK": "JPEG", "RGBA": "PNG", "P": "PNG"}
    for mode, kind in modes.items():
        (tmp_path / mode).write_bytes(encode(photo(0), kind, mode))
    split = FileSplit([tmp_path / mode for mode in modes], [0] * len(modes))
    dataset = dataclasses.replace(digits, channels=3)
    batches = input_pipeline.training_batches(split, dataset, recipe_data(crop=crop), batch_size=len(modes), seed=0)
    rows = take(batches, 2)
    assert rows["valid"].all()
    assert rows["image"].shape == (8, 32, 32, 3)
    assert all(len(np.unique(image)) > 20 for image in rows["image"])


def test_a_file_that_vanishes_ends_the_training(recipe_data, digits, tmp_path):
    """A disk that fails is not taken for many damaged images."""
    dataset = dataclasses.replace(digits, channels=3)
    batches = input_pipeline.training_batches(
        FileSplit([tmp_path / "gone.jpg"], [0]), dataset, recipe_data(), batch_size=1, seed=0
    )
    with pytest.raises(tf.errors.NotFoundError, match=r"gone\.jpg"):
        next(iter(batches))
