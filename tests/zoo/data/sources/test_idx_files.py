import gzip

import numpy as np
import pytest

from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.sources import idx_files
from lambda_keras.zoo.errors import UserError

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
IMAGES = np.random.default_rng(0).integers(0, 256, (25, 28, 28), "uint8")
LABELS = (np.arange(25) % 10).astype("uint8")
# Debian's package dataset-fashion-mnist.


def idx(array):
    header = bytes([0, 0, 8, array.ndim])
    return header + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


@pytest.fixture(params=["", ".gz"])
def folder(request, tmp_path):
    """20 training and 5 test images, compressed or not."""
    for name, array in zip(NAMES, (IMAGES[:20], LABELS[:20], IMAGES[20:], LABELS[20:]), strict=True):
        content = idx(array)
        (tmp_path / (name + request.param)).write_bytes(gzip.compress(content) if request.param else content)
    return tmp_path


def test_three_parts_of_the_files(folder):
    parts = idx_files.load(folder, validation_fraction=0.1, classes=10)
    assert [part.count for part in parts] == [18, 2, 5]
    images, labels = zip(*(example for part in parts for example in part.ordered().as_numpy_iterator()), strict=True)
    np.testing.assert_array_equal(np.stack(images), IMAGES[..., np.newaxis])
    np.testing.assert_array_equal(labels, LABELS)


def test_parts_by_split_expressions_are_those_of_tensorflow_datasets(folder, recipe_data):
    parts = {"train": "train[:3]+train[5:7]", "validation": "train[80%:]", "test": "test[-2:]"}
    dataset = catalog.load(recipe_data("fashion_mnist", 28, **parts), folder)
    expected = {"train": [0, 1, 2, 5, 6], "validation": [16, 17, 18, 19], "test": [23, 24]}
    for part, indices in expected.items():
        images = [image for image, _ in getattr(dataset, part).ordered().as_numpy_iterator()]
        np.testing.assert_array_equal(np.stack(images)[..., 0], IMAGES[indices])


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"train": "train[:5]", "validation": "train[4:]"}, "images of data.train are in data.validation too"),
        ({"train": "train[:50]", "validation": "test"}, r"'train\[:50\]' is not a part of it: Requested slice"),
        ({"test": "tset"}, "'tset' is not a part of it: Unknown split 'tset'.*its splits are train, test"),
        ({"test": "test[3:3]"}, "has no images for test"),
    ],
)
def test_wrong_split_expressions(parts, expected, folder, recipe_data):
    with pytest.raises(UserError, match=expected):
        catalog.load(recipe_data("fashion_mnist", 28, **parts), folder)


def test_a_folder_has_them_or_not(folder, tmp_path_factory):
    assert idx_files.are_in(folder)
    assert not idx_files.are_in(tmp_path_factory.mktemp("empty"))
    assert not idx_files.are_in(None)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (NAMES[3], None, f"no file {NAMES[3]} or {NAMES[3]}.gz in"),
        (NAMES[0], b"hello", "is not an idx file of unsigned bytes in 3 dimensions"),
        (NAMES[0], idx(LABELS), "is not an idx file of unsigned bytes in 3 dimensions"),
        (NAMES[0], idx(IMAGES)[:-1], "has 19599 values, but its header says 19600"),
        (NAMES[1], idx(LABELS[:19]), "train has 20 images and 19 labels; they must be as many"),
        (NAMES[3], idx(LABELS[20:] + 100), "the labels of t10k must be below 10, got 104"),
        (f"{NAMES[0]}.gz", b"hello", "cannot read"),
        (f"{NAMES[0]}.gz", gzip.compress(idx(IMAGES))[:-100], "cannot read"),
    ],
)
def test_missing_and_damaged_files(name, content, expected, tmp_path):
    for file, array in zip(NAMES, (IMAGES[:20], LABELS[:20], IMAGES[20:], LABELS[20:]), strict=True):
        if file != name.removesuffix(".gz"):
            (tmp_path / file).write_bytes(idx(array))
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=expected):
        idx_files.load(tmp_path, 0.1, 10)


def test_the_real_fashion_mnist(recipe_data, fashion_mnist_folder):
    dataset = catalog.load(recipe_data("fashion_mnist", 28), fashion_mnist_folder)
    assert [part.count for part in (dataset.train, dataset.validation, dataset.test)] == [54_000, 6_000, 10_000]
    parts = [next(part.ordered().batch(part.count).as_numpy_iterator()) for part in (dataset.train, dataset.validation)]
    images, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert np.bincount(labels).tolist() == [6000] * 10
    assert dataset.mean == pytest.approx((images.mean() / 255,), abs=1e-3)
    assert dataset.std == pytest.approx((images.std() / 255,), abs=1e-3)
