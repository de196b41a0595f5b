"""Datasets by name: a row of the table for each source of images. A new source is a row, and a module that loads it."""

import dataclasses
import typing
from collections.abc import Callable
from pathlib import Path

from lambda_keras.applications.imagenet import IMAGENET_MEAN, IMAGENET_STD
from lambda_keras.zoo.data.augmentation import rand_augment
from lambda_keras.zoo.data.files.class_names import check_name
from lambda_keras.zoo.data.sources import digits, idx_files, image_folder, image_table, tfds
from lambda_keras.zoo.data.sources.known_sizes import add_known_splits
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import UserError

if typing.TYPE_CHECKING:
    from lambda_keras.zoo.recipe import Data

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


def _load_digits(data, data_dir):
    return digits.load(data.validation_fraction)


def _load_fashion_mnist(data, data_dir):
    choose = (lambda sizes: tfds.ranges_of(data.name, sizes, data)) if data.train or data.test else None
    splits = idx_files.load(data_dir, data.validation_fraction, len(FASHION_MNIST_CLASSES), choose)
    return _dataset(data.name, FASHION_MNIST_CLASSES, 1, splits)


def _load_image_folder(data, data_dir):
    class_names, splits = image_folder.load(data_dir, data.validation_fraction)
    return _dataset(data.name, class_names, data.channels or 3, splits)


def _load_image_table(data, data_dir):
    class_names, splits = image_table.load(data_dir)
    return _dataset(data.name, class_names, data.channels or 3, splits)


@dataclasses.dataclass(frozen=True)
class Source:
    """What is special to a dataset's name; the defaults are those of a dataset of TensorFlow Datasets.

    Attributes:
        load: A function of a recipe's `Data` and of `data_dir` that returns the `Dataset`. Such a source has its own
            parts, so that a recipe has no split expressions. `None` for TensorFlow Datasets.
        is_in: Whether this source is what a `data_dir` holds; otherwise it is that of TensorFlow Datasets.
        takes_splits: Whether a recipe may choose its parts by split expressions, as those of TensorFlow Datasets.
        takes_channels: Whether its images can be read with as many channels as a model takes.
        table_in_run: Where `data_dir` is not given for a model trained here: the file beside the model.
        mean: Mean of the training images, where they are normalised with their own.
        std: The same of the standard deviation.
        sizes: Images and files of each split, as TensorFlow Datasets prepares it, to plan before the data are there.
        published_as: What the catalog of weights calls it.
        published_test: Split expression of the images with the published accuracy, if not the default one.
    """

    load: Callable | None = None
    is_in: Callable[[str | Path | None], bool] = lambda data_dir: True
    takes_splits: bool = False
    takes_channels: bool = False
    table_in_run: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    sizes: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    published_as: str | None = None
    published_test: str | None = None


SOURCES = {
    "digits": Source(load=_load_digits, published_as="digits"),
    "fashion_mnist": Source(
        load=_load_fashion_mnist,
        is_in=idx_files.are_in,
        takes_splits=True,
        mean=(0.286,),
        std=(0.353,),
        sizes={"train": (60_000, 1), "test": (10_000, 1)},
        published_as="fashion_mnist",
    ),
    "image_folder": Source(load=_load_image_folder, takes_channels=True),
    "image_table": Source(load=_load_image_table, takes_channels=True, table_in_run=image_table.FILE_IN_RUN),
    "imagenet2012": Source(
        sizes={"train": (1_281_167, 1024), "validation": (50_000, 64)},
        published_as="imagenet",
        published_test="validation",
    ),
}
# Names that TensorFlow Datasets need not know.
_OWN_NAMES = tuple(name for name, source in SOURCES.items() if source.load)


def source_of(name: str) -> Source:
    """Returns the `Source` of a name, which has the defaults for all names that the table does not have."""
    return SOURCES.get(name.partition(":")[0], Source())


def of_published(dataset: str) -> tuple[str | None, str | None]:
    """Returns the name and the split expression for tests of what the catalog of weights calls `dataset`.

    Example:
        >>> of_published("imagenet")
        ('imagenet2012', 'validation')
        >>> of_published("somebody's own")
        (None, None)
    """
    named = ((name, source.published_test) for name, source in SOURCES.items() if source.published_as == dataset)
    return next(named, (None, None))


def load(data: "Data", data_dir: str | Path | None = None) -> Dataset:
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
    return normalised(_load(data, data_dir), data)


def normalised(dataset: Dataset, data: "Data") -> Dataset:
    """Makes a dataset that is loaded already the one that a recipe asks for, which differs in normalisation alone.

    Args:
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.
        data: A `lambda_keras.zoo.recipe.Data` of the same images.

    Returns:
        A `lambda_keras.zoo.data.splits.Dataset`.

    Raises:
        UserError: A part has no images, the recipe's mean is of other channels, or RandAugment cannot work on them.
    """
    for part in ("train", "validation", "test"):
        if getattr(dataset, part).count == 0:
            raise UserError(f"dataset {data.name!r} has no images for {part}")
    is_augmented = data.randaugment_layers or data.of_pseudo.randaugment_layers
    if is_augmented and dataset.channels not in rand_augment.CHANNELS:
        raise UserError(
            f"RandAugment needs images of 1 or 3 channels, {data.name!r} has {dataset.channels}; set "
            "data.randaugment_layers to 0"
        )
    if data.mean is None or data.std is None:
        return dataset
    if len(data.mean) != dataset.channels:
        raise UserError(
            f"data.mean and data.std need {dataset.channels} values, one for each channel of {data.name!r}, got "
            f"{len(data.mean)}"
        )
    return dataclasses.replace(dataset, mean=data.mean, std=data.std)


def without_download(data: "Data", data_dir: str | Path | None = None) -> tuple[Dataset, bool]:
    """Returns what is known of a recipe's dataset without a download.

    Args:
        data: As for `load`.
        data_dir: As for `load`.

    Returns:
        The `lambda_keras.zoo.data.splits.Dataset`, and whether it is there. If not, its parts have their counts but
        cannot be read; where these are not known either, its parts are `None`.

    Raises:
        UserError: As for `load`, but for the datasets of TensorFlow Datasets that are not prepared.
    """
    if _own_source(data.name, data_dir):
        return load(data, data_dir), True
    builder = tfds.find_builder(data.name, data_dir, _OWN_NAMES)
    if builder.is_prepared():
        return load(data, data_dir), True
    add_known_splits(builder, source_of(data.name).sizes)
    parts = tfds.splits_of(builder, data) if builder.info.splits else (None, None, None)
    return _dataset(data.name, tfds.classes_of(builder), tfds.channels_of(builder), parts), False


def _own_source(name, data_dir):
    """The `Source` that loads a dataset; `None` where it is left to TensorFlow Datasets."""
    source = SOURCES.get(name)
    return source if source and source.load and source.is_in(data_dir) else None


def _load(data, data_dir):
    if source := _own_source(data.name, data_dir):
        if (data.train or data.test) and not source.takes_splits:
            raise UserError(
                f"data.train, data.validation and data.test are for TensorFlow Datasets; {data.name} has its own parts"
            )
        if data.streams is not None:
            raise UserError(
                f"data.streams is for images in record files, those of TensorFlow Datasets; {data.name} has none"
            )
        return source.load(data, data_dir)
    builder = tfds.builder_of(data.name, data_dir, _OWN_NAMES)
    return _dataset(data.name, tfds.classes_of(builder), tfds.channels_of(builder), tfds.splits_of(builder, data))


def _dataset(name, class_names, channels, splits):
    source = source_of(name)
    others = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.5,) * channels, (0.25,) * channels)
    mean, std = (source.mean, source.std) if source.mean and source.std else others
    for class_name in class_names:
        check_name(class_name, name)
    return Dataset(name, class_names, channels, mean, std, *splits)
