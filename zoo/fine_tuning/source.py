"""Where the images of a fine-tuning come from: the user's files, or a dataset of the catalog."""

import abc
import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.files.parts import PARTS
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.data.sources import image_table, listing
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning import data_summary, file_check, splitting
from lambda_keras.zoo.recipe import Data

LEFT_OUT = "left_out.csv"


class Source(abc.ABC):
    """Images with labels, in three parts.

    Attributes:
        data: Values of `lambda_keras.zoo.recipe.Data`: the dataset, and how the start wants its images.
        train_images: How many are to train on.
        class_names: The name of each label, in order.
        remarks: What the user should know of them, a list of strings.
    """

    data: dict[str, Any]
    train_images: int
    class_names: tuple[str, ...]
    remarks: list[str]

    @abc.abstractmethod
    def prepare(self, out: Path, overwrite: bool) -> None:
        """Writes what there is to know of the images to the folder of the fine-tuning, which exists.

        Args:
            out: The folder.
            overwrite: Whether it may replace what belongs to other images.

        Raises:
            UserError: The folder belongs to other images.
        """

    @abc.abstractmethod
    def load(self, data: Data, out: Path) -> Dataset:
        """Returns the `lambda_keras.zoo.data.splits.Dataset`.

        Args:
            data: The `lambda_keras.zoo.recipe.Data` of the training.
            out: The folder of the fine-tuning, after `prepare`.

        Raises:
            UserError: As for `lambda_keras.zoo.data.catalog.load`.
        """

    @abc.abstractmethod
    def test_names(self, count: int) -> list[str]:
        """What to call each of so many test images, in order."""


def values_of_files(preprocessor: Preprocessor) -> dict[str, Any]:
    """What `Source.data` of files is, before one is looked at.

    Args:
        preprocessor: The `lambda_keras.weights.Preprocessor` of the start.
    """
    return {
        "name": "image_table",
        **_preprocessing(preprocessor),
        "channels": len(preprocessor.mean),
        "mean": preprocessor.mean,
        "std": preprocessor.std,
    }


class Files(Source):
    """Class folders or a CSV file, checked and split.

    Args:
        path: The folder or file.
        preprocessor: The `lambda_keras.weights.Preprocessor` of the start.
        seed: Seed of the split.
        most_pixels: How many pixels an image may have.

    Raises:
        UserError: Fewer than two classes have images, or there are too few for three parts.
    """

    def __init__(self, path: str | Path, preprocessor: Preprocessor, seed: int, most_pixels: int = MOST_PIXELS):
        path = Path(path).absolute()
        listed = listing.of_folder(path) if path.is_dir() else listing.of_table(path)
        self._check = file_check.check(listed, most_pixels)
        self._rows = [image.row for image in splitting.split(self._check.images, seed)]
        self.data = values_of_files(preprocessor)
        counts = Counter(row.split for row in self._rows)
        if missing := [part for part in PARTS if not counts[part]]:
            raise UserError(f"{path} has too few images for {missing[0]}: some class must have at least 3")
        self.train_images = counts["train"]
        self.class_names = image_table.class_names(self._rows)
        self.remarks = data_summary.remarks(self._check)
        if preprocessor.channels == 1:
            size = preprocessor.image_size
            self.remarks.append(
                f"images are read in grey at {size}x{size}, as the weights want them: colour is dropped; "
                "--colour keeps it"
            )

    def prepare(self, out: Path, overwrite: bool) -> None:
        """Writes the tables of images and of what is left out; see `Source.prepare`."""
        table = out / image_table.FILE_IN_RUN
        if table.exists() and not overwrite and image_table.read(table) != self._rows:
            raise UserError(
                f"{out} holds a run on other images (its {image_table.FILE_IN_RUN} is not what was found now); give "
                "another folder with --out, or --overwrite to remove that run"
            )
        image_table.write(self._rows, table)
        data_summary.write_left_out(self._check, out / LEFT_OUT)

    def load(self, data: Data, out: Path) -> Dataset:
        """The images of the table; see `Source.load`."""
        return catalog.load(data, out / image_table.FILE_IN_RUN)

    def test_names(self, count: int) -> list[str]:
        """Their paths."""
        return [str(row.path) for row in self._rows if row.split == "test"]


class CatalogDataset(Source):
    """A dataset by name, with its own parts.

    Args:
        data: A `lambda_keras.zoo.recipe.Data` of it, with the user's changes.
        data_dir: As for `lambda_keras.zoo.data.catalog.load`.
        preprocessor: The `lambda_keras.weights.Preprocessor` of the start.
        is_pretrained: Whether the start wants its images normalised in its own way; otherwise the dataset decides.
    """

    def __init__(self, data: Data, data_dir: str | Path | None, preprocessor: Preprocessor, is_pretrained: bool):
        self._dataset = dataset = catalog.load(data, data_dir)
        self.data = {"name": data.name, **_preprocessing(preprocessor)}
        if is_pretrained:
            self.data |= {
                name: _for_channels(getattr(preprocessor, name), dataset.channels) for name in ("mean", "std")
            }
        self.train_images = dataset.train.count
        self.class_names = tuple(dataset.class_names)
        self.remarks = [f"{data.name} has its own parts; its images are not checked"]

    def prepare(self, out: Path, overwrite: bool) -> None:
        """There is nothing to write; see `Source.prepare`."""

    def load(self, data: Data, out: Path) -> Dataset:
        """It is loaded already; see `Source.load`."""
        return catalog.normalised(self._dataset, data)

    def test_names(self, count: int) -> list[str]:
        """Their numbers."""
        return [str(number) for number in range(count)]


def _preprocessing(preprocessor):
    values = dataclasses.asdict(preprocessor)
    return {name: values[name] for name in ("image_size", "evaluation_crop", "interpolation")}


def _for_channels(values, channels):
    """A mean or standard deviation for images of other channels, as `lambda_keras.weights.transfer.adapt` wants it."""
    if len(values) == channels:
        return values
    return (float(np.mean(values)),) * channels
