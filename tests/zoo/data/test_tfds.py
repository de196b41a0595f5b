import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets

from zoo.data import catalog, tfds
from zoo.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1), "uint8")
LABELS = np.arange(60) % 10


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A folder with a small `fashion_mnist`, prepared by TensorFlow Datasets itself."""
    folder = tmp_path_factory.mktemp("tfds")
    names = list(catalog.find("fashion_mnist").class_names)
    tensorflow_datasets.dataset_builders.store_as_tfds_dataset(
        name="fashion_mnist",
        version="3.0.1",
        features=tensorflow_datasets.features.FeaturesDict(
            {
                "image": tensorflow_datasets.features.Image(shape=(28, 28, 1)),
                "label": tensorflow_datasets.features.ClassLabel(names=names),
            }
        ),
        split_datasets={
            name: tf.data.Dataset.from_tensor_slices({"image": IMAGES[part], "label": LABELS[part]})
            for name, part in (("train", slice(0, 50)), ("test", slice(50, 60)))
        },
        data_dir=folder,
    )
    return folder


def images_of(split):
    return {image.tobytes() for image, _ in split.as_numpy_iterator()}


def test_reads_prepared_data_in_three_disjoint_parts(data_dir):
    splits = catalog.find("fashion_mnist").load(0.2, data_dir)
    assert [int(split.cardinality()) for split in splits] == [40, 10, 10]
    assert images_of(splits.train) | images_of(splits.validation) == {image.tobytes() for image in IMAGES[:50]}
    assert images_of(splits.test) == {image.tobytes() for image in IMAGES[50:]}
    image, label = next(splits.test.as_numpy_iterator())
    assert image.dtype == np.uint8
    assert label.dtype == np.int64


def test_the_order_is_the_same_each_time(data_dir):
    first, second = (tfds.load("fashion_mnist", 0.2, data_dir).train for _ in range(2))
    for (a, _), (b, _) in zip(first.as_numpy_iterator(), second.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_data_that_are_not_there_are_not_downloaded_into_a_given_folder(tmp_path):
    with pytest.raises(UserError, match=r"no prepared dataset 'fashion_mnist' in .*--data-dir") as caught:
        tfds.load("fashion_mnist", 0.1, tmp_path / "nothing")
    assert str(tmp_path / "nothing") in str(caught.value)
    assert not (tmp_path / "nothing").exists()


def test_a_failed_download_says_where_and_what_to_do(tmp_path, monkeypatch):
    def no_network(self):
        raise ConnectionError("no route to host")

    builder = tensorflow_datasets.builder("fashion_mnist", data_dir=tmp_path)
    monkeypatch.setattr(type(builder), "download_and_prepare", no_network)
    with pytest.raises(UserError, match=r"cannot download dataset 'fashion_mnist' to .*ConnectionError.*--data-dir"):
        tfds._download(builder)
