import numpy as np
import pytest
import tensorflow as tf

from zoo.data import catalog, input_pipeline

COUNT, SIZE = 30, 8
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 1), "uint8")
LABELS = np.arange(COUNT, dtype="int64") % 10
SPLIT = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
DATASET = catalog.find("digits")


def normalised(images):
    return (images.astype("float32") / 255 - np.float32(DATASET.mean)) / np.float32(DATASET.std)


def training(crop_padding=0, horizontal_flip=False, seed=0, batch_size=10, image_size=SIZE):
    return input_pipeline.training_batches(
        SPLIT,
        DATASET,
        image_size=image_size,
        batch_size=batch_size,
        crop_padding=crop_padding,
        horizontal_flip=horizontal_flip,
        seed=seed,
    )


def take(batches, count):
    images, labels = zip(*batches.take(count).as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def index_of(image, candidates):
    """The one candidate that a normalised image equals."""
    matches = np.flatnonzero(np.abs(candidates - image).max(axis=(1, 2, 3)) < 1e-5)
    assert len(matches) == 1
    return int(matches[0])


def test_evaluation_images_are_in_order_normalised_and_not_augmented():
    batches = input_pipeline.evaluation_batches(SPLIT, DATASET, image_size=SIZE, batch_size=8)
    assert int(batches.cardinality()) == 4
    images, labels = take(batches, 4)
    np.testing.assert_allclose(images, normalised(IMAGES), atol=1e-6)
    np.testing.assert_array_equal(labels, np.eye(10)[LABELS])


def test_training_batches_are_full_endless_and_of_static_shape():
    batches = training(batch_size=7)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    assert batches.element_spec[0].shape == (7, SIZE, SIZE, 1)
    assert batches.element_spec[1].shape == (7, 10)


def test_without_augmentation_each_pass_is_another_order_of_the_same_images():
    images, labels = take(training(), 6)
    found = [index_of(image, normalised(IMAGES)) for image in images]
    assert sorted(found[:COUNT]) == sorted(found[COUNT:]) == list(range(COUNT))
    assert found[:COUNT] != found[COUNT:]
    np.testing.assert_array_equal(labels, np.eye(10)[LABELS[found]])


def test_crops_are_windows_of_the_padded_images():
    padding = 2
    padded = np.pad(IMAGES, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    offsets = [(y, x) for y in range(2 * padding + 1) for x in range(2 * padding + 1)]
    windows = normalised(np.concatenate([padded[:, y : y + SIZE, x : x + SIZE] for y, x in offsets]))
    images, labels = take(training(crop_padding=padding), 9)
    found = np.array([index_of(image, windows) for image in images])
    assert sorted(found[:COUNT] % COUNT) == list(range(COUNT))
    np.testing.assert_array_equal(labels, np.eye(10)[LABELS[found % COUNT]])
    assert len(set(found // COUNT)) > 15, "of the 25 offsets, 90 crops hit most"


def test_half_of_the_images_are_mirrored():
    candidates = normalised(np.concatenate([IMAGES, IMAGES[:, :, ::-1]]))
    images, _ = take(training(horizontal_flip=True), 30)
    mirrored = np.mean([index_of(image, candidates) >= COUNT for image in images])
    assert 0.4 < mirrored < 0.6


def test_a_seed_gives_one_stream():
    first, again, other = (take(training(2, True, seed), 5)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("image_size", [32, 5])
def test_images_are_resized_smoothly_within_their_range(image_size):
    flat = tf.data.Dataset.from_tensor_slices((np.full((3, 8, 8, 1), 200, "uint8"), LABELS[:3]))
    images, labels = input_pipeline.arrays(flat, image_size)
    assert images.shape == (3, image_size, image_size, 1)
    assert images.dtype == np.uint8
    assert (images == 200).all()
    np.testing.assert_array_equal(labels, LABELS[:3])


def test_a_bicubic_overshoot_is_clipped():
    half = np.zeros((1, 8, 8, 1), "uint8")
    half[:, :, 4:] = 255
    images, _ = input_pipeline.arrays(tf.data.Dataset.from_tensor_slices((half, LABELS[:1])), 32)
    # A value that wrapped around would stand as a dark column in the bright half.
    assert (np.diff(images[0, 0, :, 0].astype(int)) >= 0).all()


def test_arrays_are_the_images_themselves_when_the_size_fits():
    images, labels = input_pipeline.arrays(SPLIT, SIZE)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
