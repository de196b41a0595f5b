import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets

from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.sources import tfds
from lambda_keras.zoo.errors import UserError

COUNT, SHARDS = 40, 4
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 8, 3), "uint8")
LABELS = np.arange(COUNT) % 3
EXPRESSIONS = {"train": "train[1shard:]", "validation": "train[:1shard]", "test": "train[:5]"}


def prepare(folder, name="shapes", splits=("train",), **features):
    """Has TensorFlow Datasets write a small dataset of several files, with the same images in each split."""
    connectors = tensorflow_datasets.features
    features = {
        "image": connectors.Image(shape=(None, None, 3), encoding_format="png"),
        "label": connectors.ClassLabel(names=["round", "square", "odd"]),
        **features,
    }
    columns = {"image": IMAGES, "label": LABELS, "note": [str(i) for i in range(COUNT)]}
    examples = tf.data.Dataset.from_tensor_slices({key: columns[key] for key in features})
    tensorflow_datasets.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=connectors.FeaturesDict(features),
        split_datasets=dict.fromkeys(splits, examples),
        data_dir=folder,
        download_config=tensorflow_datasets.download.DownloadConfig(num_shards=SHARDS),
    )
    return folder


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("tfds"), note=tensorflow_datasets.features.Text())


def pixels(split):
    """The images of a split as bytes of their pixels, with their labels."""
    return [(tf.io.decode_png(image).numpy().tobytes(), int(label)) for image, label in split.ordered()]


def as_tensorflow_datasets_reads(data_dir, expression):
    """The same by the public reader of TensorFlow Datasets, in the order of the files."""
    builder = tensorflow_datasets.builder("shapes", data_dir=data_dir)
    examples = tensorflow_datasets.as_numpy(builder.as_dataset(split=expression))
    return [(example["image"].tobytes(), int(example["label"])) for example in examples]


def test_split_expressions_by_shard_and_by_count(recipe_data, data_dir):
    dataset = catalog.load(recipe_data("shapes", **EXPRESSIONS), data_dir)
    assert (dataset.name, dataset.class_names, dataset.channels) == ("shapes", ("round", "square", "odd"), 3)
    for part, count in (("train", 30), ("validation", 10), ("test", 5)):
        split = getattr(dataset, part)
        assert split.count == count
        assert pixels(split) == as_tensorflow_datasets_reads(data_dir, EXPRESSIONS[part])


def test_a_folder_in_which_tensorflow_datasets_finds_nothing_is_refused(recipe_data, tmp_path):
    with pytest.raises(UserError, match=r"x\[1\]: TensorFlow Datasets reads .* give a folder without them"):
        catalog.load(recipe_data("shapes"), tmp_path / "x[1]")


def test_an_epoch_is_every_image_of_all_files(recipe_data, data_dir):
    split = catalog.load(recipe_data("shapes:1.0.0", streams=3, **EXPRESSIONS), data_dir).train
    assert split.described() == {"order": "3 streams of records"}
    epoch = [(tf.io.decode_png(image).numpy().tobytes(), int(label)) for _, image, label in split.shuffled(0).take(30)]
    assert sorted(epoch) == sorted(pixels(split))
    assert epoch != pixels(split)


def test_by_default_the_end_of_train_is_for_validation(recipe_data, tmp_path):
    prepare(tmp_path, splits=("train", "test"))
    dataset = catalog.load(recipe_data("shapes", validation_fraction=0.2), tmp_path)
    assert pixels(dataset.train) + pixels(dataset.validation) == as_tensorflow_datasets_reads(tmp_path, "train")
    assert dataset.validation.count == 8
    assert pixels(dataset.test) == as_tensorflow_datasets_reads(tmp_path, "test")


def test_where_there_is_no_test_validation_is_tested(recipe_data, tmp_path):
    prepare(tmp_path, splits=("train", "validation"))
    assert catalog.load(recipe_data("shapes"), tmp_path).test.count == COUNT


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        ({}, "'shapes' has the splits train; say which to use, such as data.train="),
        ({**EXPRESSIONS, "test": "tset"}, "'tset' is not a part of it: Unknown split 'tset'.*its splits are train"),
        ({**EXPRESSIONS, "test": "train[a:b]"}, r"'train\[a:b\]' is not a part of it"),
        ({**EXPRESSIONS, "test": "train[:999]"}, r"'train\[:999\]' is not a part of it: Requested slice"),
        ({**EXPRESSIONS, "test": "train[5:5]"}, r"'train\[5:5\]' has no images"),
        ({**EXPRESSIONS, "validation": "train[:25%]+train[90%:]"}, "images of data.train are in data.validation too"),
        ({**EXPRESSIONS, "test": "train[-1:]"}, "images of data.train are in data.test too"),
    ],
)
def test_wrong_split_expressions(expressions, expected, recipe_data, data_dir):
    with pytest.raises(UserError, match=expected):
        catalog.load(recipe_data("shapes", **expressions), data_dir)


@pytest.mark.parametrize(
    "features",
    [
        {"label": tensorflow_datasets.features.Scalar(np.int64)},
        {"image": tensorflow_datasets.features.Tensor(shape=(6, 8, 3), dtype=np.uint8)},
    ],
)
def test_features_that_are_no_image_and_class(features, recipe_data, tmp_path):
    prepare(tmp_path, **features)
    with pytest.raises(UserError, match=r"'shapes' does not classify images: .* its features are image, label"):
        catalog.load(recipe_data("shapes", **EXPRESSIONS), tmp_path)


def test_data_that_are_not_there_are_not_downloaded_into_a_given_folder(recipe_data, tmp_path):
    with pytest.raises(UserError, match=r"no prepared dataset 'fashion_mnist' in .*--data-dir") as caught:
        catalog.load(recipe_data("fashion_mnist"), tmp_path / "nothing")
    assert str(tmp_path / "nothing") in str(caught.value)
    assert not (tmp_path / "nothing").exists()


def test_a_failed_download_says_where_and_what_to_do(tmp_path, monkeypatch):
    def no_network(self):
        raise ConnectionError("no route to host")

    builder = tensorflow_datasets.builder("fashion_mnist", data_dir=tmp_path)
    monkeypatch.setattr(type(builder), "download_and_prepare", no_network)
    with pytest.raises(UserError, match=r"cannot download dataset 'fashion_mnist' to .*ConnectionError.*--data-dir"):
        tfds._download(builder)
