"""Which images a command is to label: a folder of pictures, a folder of TFRecord files, or a dataset by its name."""

import os
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from google.protobuf.message import DecodeError

from lambda_keras.text import first_line
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.files.image_files import ENDINGS, below
from lambda_keras.zoo.data.files.parts import PARTS
from lambda_keras.zoo.data.sources import tfds
from lambda_keras.zoo.data.splits import ArraySplit
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.pseudo_labels.images import ImageArray, ImageFiles, ImageRecords, Images

IMAGES_PER_SHARD = 1000
# Under which of these names a record has its image, as TensorFlow Datasets and the TensorFlow models write them.
IMAGE_FEATURES = ("image", "image/encoded")
# A split expression without images, which may stand beside any other one.
_NOTHING = "train[:0]"


class Place(NamedTuple):
    """Where images are, as a command line says it.

    Attributes:
        data: A folder, or the name of a dataset as a recipe's `data.name`.
        data_dir: Of a name: as for `lambda_keras.zoo.data.catalog.load`.
        split: Of a name: which part; `None` for `train`.
    """

    data: str
    data_dir: str | None = None
    split: str | None = None


def find(place: Place, images_per_shard: int = IMAGES_PER_SHARD) -> Images:
    """Finds images; none is read.

    Args:
        place: A folder with image files in it or in folders inside, whose names mean nothing; or with TFRecord files;
            or a dataset. Of one of the catalog, the split is `train`, `validation` or `test`, of one of TensorFlow
            Datasets and of `fashion_mnist` also an expression such as `unlabelled` or `train[20%:]`.
        images_per_shard: How many files or images of an array make a shard; a file of records is always one.

    Returns:
        The `lambda_keras.zoo.pseudo_labels.images.Images`.

    Raises:
        UserError: There is no such folder or dataset, or it has no images.
    """
    folder = Path(place.data)
    if not folder.is_dir():
        return _by_name(place, images_per_shard)
    if place.data_dir or place.split:
        raise UserError(f"a folder and a split are for the name of a dataset; {folder} is a folder itself")
    records = sorted(path for path in folder.glob("*.tfrecord*") if path.name[0] != "." and path.is_file())
    if records:
        parse = _example_parser(_image_feature(records))
        return ImageRecords([(str(path), 0, None) for path in records], parse)
    if not (paths := below(folder)):
        raise UserError(f"{folder} has neither image files ({', '.join(ENDINGS)}) nor files *.tfrecord*")
    return ImageFiles(folder, paths, images_per_shard)


def _image_feature(paths):
    """The name under which the records of some files have their images."""
    try:
        record = next(iter(tf.data.TFRecordDataset(list(map(str, paths))).take(1)), None)
        if record is None:
            raise UserError(f"the TFRecord files in {paths[0].parent} have no records")
        features = tf.train.Example.FromString(record.numpy()).features.feature
    except tf.errors.OpError as error:
        raise UserError(f"cannot read {paths[0]}: {first_line(error)}") from error
    except DecodeError as error:
        raise UserError(f"{paths[0]} has records that are no tf.train.Example; write them as such") from error
    name = next((name for name in IMAGE_FEATURES if features[name].bytes_list.value), None)
    if name is None:
        raise UserError(f"the records of {paths[0]} have no image, a string under {' or '.join(IMAGE_FEATURES)}")
    return name


def _example_parser(feature):
    def parse(serialised):
        return tf.io.parse_single_example(serialised, {feature: tf.io.FixedLenFeature([], tf.string)})[feature]

    return parse


def _by_name(place, images_per_shard):
    name, data_dir, split = place.data, place.data_dir, place.split or "train"
    source = catalog.source_of(name)
    if not (source.load and source.is_in(data_dir)):
        return _of_tensorflow_datasets(name, data_dir, split)
    expressions = {}
    if split not in PARTS:
        if not source.takes_splits:
            raise UserError(f"the splits of {name} are {', '.join(PARTS)}, got {split!r}")
        expressions = {"train": split, "validation": _NOTHING, "test": _NOTHING}
        split = "train"
    images = getattr(source.load(recipe_file.data_of_name(name, "--data", **expressions), data_dir), split)
    if images.count == 0:
        raise UserError(f"{name} has no images in {place.split}")
    if isinstance(images, ArraySplit):
        return ImageArray(images.images, images_per_shard)
    base = Path(data_dir) if Path(data_dir).is_dir() else Path(data_dir).parent
    return ImageFiles(base, [os.path.relpath(path, base) for path in images.paths], images_per_shard)


def _of_tensorflow_datasets(name, data_dir, split):
    try:
        builder = tfds.builder_of(name, data_dir, tuple(catalog.SOURCES))
    except UserError as error:
        raise UserError(f"there is no folder {name}, and as the name of a dataset: {error}") from error
    return ImageRecords(tfds.files_of(builder, split), tfds.image_parser(builder))
