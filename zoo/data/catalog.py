"""Datasets by name."""

import dataclasses

from lambda_keras.applications.imagenet import IMAGENET_MEAN, IMAGENET_STD
from lambda_keras.zoo.data import digits, idx_files, image_folder, image_table, rand_augment, tfds
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.recipe import FILES_OF_USERS

# Mean and standard deviation of the training images, for datasets that are normalised with their own.
_STATISTICS = {"fashion_mnist": ((0.286,), (0.353,))}
FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load(data, data_dir=None):
    """Loads the dataset of a recipe.

    Args:
        data: A `lambda_keras.zoo.recipe.Data`.
        data_dir: Where the data are: for `image_folder` the folder of images, for `image_table` the CSV file that lists
            them, for `fashion_mnist` a folder of idx files or of prepared TensorFlow Datasets, for other names the
            latter. `digits` needs none.

    Returns:
        A `lambda_keras.zoo.data.splits.Dataset`. It is normalised with the recipe's mean and standard deviation;
        without these, with its own where they are known (`digits`, `fashion_mnist`), otherwise with
        ImageNet's for images of 3 channels, and with 0.5 and 0.25 for others.

    Raises:
        UserError: The name is unknown, the data are missing, damaged or of another kind, a part has no images, the
            recipe's mean is of other channels, or RandAugment cannot work on them.

    Example:
        >>> dataset = load(recipe_file.load("digits").data)
        >>> dataset.test.count
        450
    """
    dataset = _load(data, data_dir)
    for part in ("train", "validation", "test"):
        if getattr(dataset, part).count == 0:
            raise UserError(f"dataset {data.name!r} has no images for {part}")
    if data.randaugment_layers and dataset.channels not in rand_augment.CHANNELS:
        raise UserError(
            f"RandAugment needs images of 1 or 3 channels, {data.name!r} has {dataset.channels}; set "
            "data.randaugment_layers to 0"
        )
    if data.mean is None:
        return dataset
    if len(data.mean) != dataset.channels:
        raise UserError(
            f"data.mean and data.std need {dataset.channels} values, one for each channel of {data.name!r}, got "
            f"{len(data.mean)}"
        )
    return dataclasses.replace(dataset, mean=data.mean, std=data.std)


def _load(data, data_dir):
    if data.name in FILES_OF_USERS:
        _refuse_split_expressions(data)
        if data.name == "image_table":
            class_names, splits = image_table.load(data_dir)
        else:
            class_names, splits = image_folder.load(data_dir, data.validation_fraction)
        return _dataset(data.name, class_names, data.channels or 3, splits)
    if data.name == "digits":
        _refuse_split_expressions(data)
        return digits.load(data.validation_fraction)
    if data.name == "fashion_mnist" and idx_files.are_in(data_dir):
        _refuse_split_expressions(data)
        splits = idx_files.load(data_dir, data.validation_fraction, len(FASHION_MNIST_CLASSES))
        return _dataset(data.name, FASHION_MNIST_CLASSES, 1, splits)
    builder = tfds.builder_of(data.name, data_dir)
    return _dataset(data.name, tfds.classes_of(builder), tfds.channels_of(builder), tfds.splits_of(builder, data))


def _dataset(name, class_names, channels, splits):
    others = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.5,) * channels, (0.25,) * channels)
    mean, std = _STATISTICS.get(name.partition(":")[0], others)
    return Dataset(name, class_names, channels, mean, std, *splits)


def _refuse_split_expressions(data):
    if data.train or data.test:
        raise UserError(
            f"data.train, data.validation and data.test are for TensorFlow Datasets; {data.name} has its own parts"
        )
