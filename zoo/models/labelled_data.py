"""Images with labels that a command is given for a model: one way in for `evaluate`, `verify` and calibration."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from lambda_keras.zoo.data import catalog, reading
from lambda_keras.zoo.data.files.class_names import folder_name
from lambda_keras.zoo.data.files.image_files import ENDINGS, below, check_unpacked
from lambda_keras.zoo.data.files.parts import PARTS, part_folders
from lambda_keras.zoo.data.images import decoding, image_bytes
from lambda_keras.zoo.data.images.image_bytes import ImageFileError
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.data.sources import listing
from lambda_keras.zoo.data.sources.image_table import Row
from lambda_keras.zoo.data.sources.listing import LeftOut, Listing
from lambda_keras.zoo.data.splits import Dataset, FileSplit, Split
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.record import Record
from lambda_keras.zoo.recipe import Data

# What stands for the part where files have none.
ALL = "all"
# Of a list in a message.
MOST_NAMED = 10


@dataclass(frozen=True)
class LabelledData:
    """Images whose labels are those of a model.

    Attributes:
        name: What to call them in messages.
        part: `train`, `validation`, `test`, or `all` of files that have no parts.
        split: The images, a `lambda_keras.zoo.data.splits.Split`.
        dataset: The `lambda_keras.zoo.data.splits.Dataset` that they are of; that of files has no other part.
        data: How they are read, a `lambda_keras.zoo.recipe.Data`.
        left_out: A `lambda_keras.zoo.data.sources.listing.LeftOut` for each file of the part that is no image by its
            name, or is not there.
    """

    name: str
    part: str
    split: Split
    dataset: Dataset
    data: Data
    left_out: tuple[LeftOut, ...] = ()

    def batches(self, batch_size: int) -> Iterator[reading.Batch]:
        """Reads them in order, as `lambda_keras.zoo.data.reading.batches`."""
        return reading.batches(self.split, self.dataset, self.data, batch_size=batch_size)

    def unread(self, positions: np.ndarray) -> tuple[LeftOut, ...]:
        """Looks again at the files that could not be read, for the reason why.

        Args:
            positions: Those that `batches` gave.

        Returns:
            A `lambda_keras.zoo.data.sources.listing.LeftOut` for each other file; none of images in arrays and records.

        Raises:
            UserError: No image could be read.
        """
        paths = self.split.paths if isinstance(self.split, FileSplit) else []
        missing = np.setdiff1d(np.arange(len(paths)), positions)
        files = tuple(LeftOut(Path(paths[row]), _why_unread(paths[row], self.data.most_pixels)) for row in missing)
        if len(positions) == 0:
            problem = f"none of the {self.split.count} images of {self.name}, {self.part}, could be read"
            raise UserError("; ".join([problem, *listing.described(files)]))
        return files


def load(
    option: str,
    source: str | Path | None,
    record: Record,
    part: str = "test",
    data_dir: str | Path | None = None,
    most_pixels: int = MOST_PIXELS,
) -> LabelledData:
    """Loads images for a model.

    Args:
        option: The option that names them, for messages.
        source: A folder with a folder of images for each class, of which there may be fewer than the model has; the
            same in folders of parts, as `lambda_keras.zoo.data.files.parts` knows them; a CSV file, as for
            `lambda_keras.zoo.data.sources.image_table.read`; or a dataset for `lambda_keras.zoo.data.catalog.load`. By
            default the dataset that the model was trained on.
        record: The model's `lambda_keras.zoo.models.record.Record`.
        part: Which part; of a folder or a table without parts all images are taken.
        data_dir: Of a dataset: as for `lambda_keras.zoo.data.catalog.load`.
        most_pixels: How many pixels an image file may have.

    Returns:
        The `LabelledData`.

    Raises:
        UserError: There is no such source, it does not have the part, or its classes or channels are not the model's.

    Example:
        >>> load("--data", "pictures", record).split.count  # doctest: +SKIP
        120
    """
    if source is None or not is_files(source):
        return _of_dataset(option, source, record, part, data_dir, most_pixels)
    path = Path(source)
    refuse_data_dir(option, path, data_dir)
    listed = listing.of_folder(path) if path.is_dir() else listing.of_table(path)
    rows, taken = _of_part(listed, path, part)
    left_out = tuple(file for file in listed.left_out if taken in (ALL, file.split))
    files = FileSplit([row.path for row in rows], _labels(rows, record.class_names, path))
    preprocessor, none = record.preprocessor, FileSplit([], [])
    dataset = Dataset(
        str(path),
        record.class_names,
        preprocessor.channels,
        preprocessor.mean,
        preprocessor.std,
        train=none,
        validation=none,
        test=files,
    )
    data = record.data("image_table", most_pixels)
    return LabelledData(str(path), taken, files, dataset, data, left_out)


def is_files(source: str | Path) -> bool:
    """Whether an option names files rather than a dataset; a folder takes precedence over a dataset of its name.

    Raises:
        UserError: It is an archive.
    """
    check_unpacked(source)
    return Path(source).is_dir() or Path(source).suffix.lower() == ".csv"


def training_files(source: str | Path) -> tuple[list[Path], tuple[LeftOut, ...]]:
    """The files of the training part, or all where there is none; labels do not matter, and class folders need not be.

    Args:
        source: As for `load`, or a folder with images at any depth.

    Returns:
        The paths, in the order of the folder or table; and of a table, a
        `lambda_keras.zoo.data.sources.listing.LeftOut` for each file that is no image by its name, or is not there.

    Raises:
        UserError: There is no such source, or it has no images.
    """
    path = Path(source)
    if path.is_dir():
        folder = part_folders(path).get("train", path)
        if names := below(folder):
            return [folder / name for name in names], ()
        raise UserError(f"{folder} has no image files (endings {', '.join(ENDINGS)})")
    listed = listing.of_table(path)
    if not listed.rows:
        raise UserError(_none_listed(path, listed))
    if any(row.split == "train" for row in listed.rows):
        rows = [row for row in listed.rows if row.split == "train"]
        return [row.path for row in rows], tuple(file for file in listed.left_out if file.split == "train")
    return [row.path for row in listed.rows], listed.left_out


def refuse_data_dir(option: str, source: str | Path, data_dir: str | Path | None) -> None:
    """Raises a `UserError` where a folder of datasets is given although `option` does not name a dataset."""
    if data_dir is not None:
        raise UserError(f"--data-dir is for {option} with the name of a dataset, got the path {source}")


def dataset_of(
    option: str,
    name: str | Path | None,
    record: Record,
    data_dir: str | Path | None = None,
    most_pixels: int = MOST_PIXELS,
) -> tuple[Dataset, Data]:
    """Loads a dataset by its name, whatever its classes are.

    Args:
        option: As for `load`.
        name: The dataset's name; `None` for that of the record.
        record: As for `load`.
        data_dir: As for `load`.
        most_pixels: As for `load`.

    Returns:
        The `lambda_keras.zoo.data.splits.Dataset`, and how its images are read for the model.

    Raises:
        UserError: There is no such dataset, or its images have other channels than the model's.
    """
    data = record.data(None if name is None else str(name), most_pixels)
    try:
        dataset = catalog.load(data, data_dir)
    except UserError as error:
        if name is None:
            raise
        if os.path.exists(name):
            raise UserError(
                f"{option} {name}: this file is neither a folder nor a CSV file; give a folder of class folders, a "
                ".csv file with the columns path and label, or the name of a dataset"
            ) from error
        raise UserError(f"{option} {name}: no such file or folder, and as a dataset: {error}") from error
    channels = record.preprocessor.channels
    if dataset.channels != channels:
        raise UserError(
            f"the model takes images with {channels} channels, those of {dataset.name} have {dataset.channels}; "
            f"give {option} a dataset that has as many"
        )
    return dataset, data


def _of_dataset(option, name, record, part, data_dir, most_pixels):
    dataset, data = dataset_of(option, name, record, data_dir, most_pixels)
    if other := record.first_other_class(dataset.class_names):
        raise UserError(
            f"{dataset.name} has {len(dataset.class_names)} classes, the model {len(record.class_names)}; the first "
            f"that differs is label {other.label}, expected {other.expected!r}, got {other.received!r}; give "
            f"{option} data with the classes of the model"
        )
    return LabelledData(data.name, part, getattr(dataset, part), dataset, data)


def _of_part(listed: Listing, path: Path, part: str) -> tuple[list[Row], str]:
    """The rows of a part, or all where there are no parts, and what to call these."""
    counts = Counter(row.split for row in listed.rows)
    if not listed.rows:
        raise UserError(_none_listed(path, listed))
    if counts.keys() == {None}:
        return list(listed.rows), ALL
    if not counts[part]:
        there = ", ".join(name for name in PARTS if counts[name])
        remedy = "give the folder of one of these itself" if path.is_dir() else "leave out the column split to take all"
        problem = f"{path} has no images of the part {part}, it has {there}; {remedy}"
        left_out = listing.described(file for file in listed.left_out if file.split == part)
        raise UserError("; ".join([problem, *left_out]))
    return [row for row in listed.rows if row.split == part], part


def _none_listed(path, listed):
    return "; ".join([f"{path} lists no image that can be used", *listing.described(listed.left_out)])


def _why_unread(path, most_pixels):
    try:
        decoding.image_size(image_bytes.read(path, most_pixels), most_pixels)
    except ImageFileError as error:
        return error.reason
    except tf.errors.InvalidArgumentError as error:
        return decoding.why(error)
    # Somebody else may be writing the files.
    return "could not be read when its turn came"


def _labels(rows, class_names, path):
    """The label of each row; a class whose name cannot be a folder's may be written as `write-images` does."""
    labels = {folder_name(name): label for label, name in enumerate(class_names)}
    labels |= {name: label for label, name in enumerate(class_names)}
    if unknown := sorted({row.label for row in rows} - labels.keys()):
        named = ", ".join(unknown[:MOST_NAMED]) + (", …" if len(unknown) > MOST_NAMED else "")
        known = ", ".join(class_names[:MOST_NAMED]) + (", …" if len(class_names) > MOST_NAMED else "")
        raise UserError(
            f"{path} has classes that the model does not know: {named}; its {len(class_names)} classes are {known}; "
            "rename or leave out the others"
        )
    return [labels[row.label] for row in rows]
