import numpy as np
import pytest
from sklearn.datasets import load_digits

from lambda_keras.zoo.data.sources import digits


def arrays(split):
    images, labels = zip(*split.ordered().as_numpy_iterator(), strict=True)
    return np.stack(images), np.array(labels)


@pytest.fixture(scope="module")
def dataset():
    return digits.load(validation_fraction=0.1)


@pytest.fixture(scope="module")
def parts(dataset):
    return [arrays(split) for split in (dataset.train, dataset.validation, dataset.test)]


def test_sizes_and_types(parts):
    assert [len(images) for images, _ in parts] == [1212, 135, 450]
    for images, labels in parts:
        assert images.dtype == np.uint8
        assert images.shape[1:] == (8, 8, 1)
        assert labels.dtype == np.int64


def test_the_splits_are_disjoint_and_hold_every_image_once(parts):
    # Every row of pixels and label is counted; the collection has no two equal images.
    ours = [
        (image.tobytes(), int(label)) for images, labels in parts for image, label in zip(images, labels, strict=True)
    ]
    images, labels = load_digits(return_X_y=True)
    everything = [
        (np.round(image * 255 / 16).astype("uint8").tobytes(), int(label))
        for image, label in zip(images, labels, strict=True)
    ]
    assert len(set(ours)) == len(ours) == 1797
    assert set(ours) == set(everything)


def test_every_class_has_the_same_share_of_each_split(parts):
    counts = np.array([np.bincount(labels, minlength=10) for _, labels in parts])
    expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / 1797
    assert np.abs(counts - expected).max() <= 1


def test_the_test_split_is_the_same_whatever_the_validation_slice(parts):
    again = digits.load(validation_fraction=0.3)
    np.testing.assert_array_equal(arrays(again.test)[0], parts[2][0])
    assert again.validation.count == 405


def test_mean_and_deviation_are_those_of_the_training_part(dataset, parts):
    images = parts[0][0] / 255
    assert dataset.mean == pytest.approx((images.mean(),), abs=2e-3)
    assert dataset.std == pytest.approx((images.std(),), abs=2e-3)
