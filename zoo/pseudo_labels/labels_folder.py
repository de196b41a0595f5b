"""A folder of labels: `labels.json`, which says what they are, and a TFRecord file for each shard of the images.

Every image has a record, in the order of the images, also one that could not be read. A file has its name only when it
is whole, so that what is there need not be made again.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import tensorflow as tf
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from lambda_keras.atomic import partials, replacing
from lambda_keras.text import first_line
from lambda_keras.zoo.errors import UserError, shown, writing_by_tensorflow
from lambda_keras.zoo.models.record import explain_problem
from lambda_keras.zoo.pseudo_labels import soft_labels

DESCRIPTION = "labels.json"
LARGEST_DESCRIPTION = 10**9


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TeacherEntry(_Section):
    """The teacher, and how it wants its images: `Teacher` and `Preprocessor` in one."""

    name: str
    sha256: str
    image_size: int
    evaluation_crop: float
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


class DataEntry(_Section):
    """Where the images are, as a `Place`, and what tells them from others."""

    data: str
    data_dir: str | None
    split: str | None
    sha256: str
    images_per_shard: PositiveInt


class ShardEntry(_Section):
    """The images of a shard, and how many of them could not be read."""

    images: int
    unreadable: int


class Description(_Section):
    """What `labels.json` says.

    Attributes:
        format: Version of the format.
        classes: The name of each class.
        teacher: The `TeacherEntry`.
        data: The `DataEntry`.
        top: How many classes a label has.
        most_pixels: How many pixels an image file might have.
        files: How many files of labels there are to be.
        shards: A `ShardEntry` for each file, by its name; `None` until all are there.
    """

    format: Literal[1]
    classes: tuple[str, ...] = Field(min_length=1)
    teacher: TeacherEntry
    data: DataEntry
    top: PositiveInt
    most_pixels: PositiveInt
    files: PositiveInt
    shards: dict[str, ShardEntry] | None = None

    def names(self) -> list[str]:
        """The names of the files, in the order of the shards."""
        return [f"labels-{shard:05}-of-{self.files:05}.tfrecord" for shard in range(self.files)]


def read(folder: str | Path) -> Description:
    """Reads `labels.json`.

    Args:
        folder: The folder.

    Raises:
        UserError: There is none, or it is damaged.
    """
    path = Path(folder, DESCRIPTION)
    if not path.is_file():
        raise UserError(f"{folder} has no {DESCRIPTION}; give a folder that `lambda-zoo pseudo-label` wrote")
    if path.stat().st_size > LARGEST_DESCRIPTION:
        raise UserError(f"{path} is larger than any that `lambda-zoo pseudo-label` writes; give another folder")
    try:
        return Description.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(
            f"{path} is damaged: {explain_problem(error.errors()[0])}; label the images again to a new folder"
        ) from error


def open_for(folder: Path, description: Description) -> Description:
    """Makes a folder the one of these labels, or finds that it is.

    Args:
        folder: The folder, which exists.
        description: A `Description` without shards.

    Returns:
        The one that the folder has: of several jobs, that of the first.

    Raises:
        UserError: It holds labels of another teacher, of other images or with other settings.
    """
    path = folder / DESCRIPTION
    if not path.exists():
        _write_first(path, description)
    there = read(folder)
    for what, part in _IDENTITY.items():
        was, now = part(there), part(description)
        if was != now:
            raise UserError(
                f"{folder} holds labels {what} ({shown(was)}, now {shown(now)}); give another folder with --out"
            )
    return there


def write_shard(path: Path, records: list[tf.train.Example]) -> None:
    """Writes the labels of a shard; the file is whole, or not there.

    Args:
        path: The file.
        records: From `lambda_keras.zoo.pseudo_labels.soft_labels.to_example`.

    Raises:
        UserError: It cannot be written.
    """
    with (
        writing_by_tensorflow(path, "; the same command resumes there"),
        replacing(path) as partial,
        tf.io.TFRecordWriter(str(partial)) as writer,
    ):
        for record in records:
            writer.write(record.SerializeToString(deterministic=True))


def finish(folder: Path, description: Description) -> Description | None:
    """Counts the labels where all files are there, and writes that to `labels.json`.

    Args:
        folder: The folder.
        description: Its `Description`.

    Returns:
        The one with shards; `None` where files are missing, which other jobs will write.

    Raises:
        UserError: A file is damaged.
    """
    paths = [folder / name for name in description.names()]
    if not all(path.is_file() for path in paths):
        return None
    if description.shards is None:
        shards = {path.name: _count(path, description.top) for path in paths}
        description = description.model_copy(update={"shards": shards})
        with replacing(folder / DESCRIPTION) as partial:
            partial.write_text(_text(description), encoding="utf-8")
    for path in paths:
        # Of jobs that were killed. Nobody needs to write any more.
        for partial in partials(path):
            partial.unlink(missing_ok=True)
    return description


def labels_of(path: Path, top: int) -> tuple[list[bytes], soft_labels.SoftLabels]:
    """Reads a file of labels.

    Args:
        path: The file.
        top: How many classes each has.

    Returns:
        The serialised records, and what they say.

    Raises:
        UserError: It is damaged.
    """
    with reading(path):
        records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
        return records, soft_labels.parse(records, top)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Makes a `UserError` of what TensorFlow says where a file of labels is damaged or cannot be read."""
    try:
        yield
    except tf.errors.OpError as error:
        raise UserError(
            f"cannot read {path}: {first_line(error)}; remove it, and the command that wrote it writes it again"
        ) from error


def _count(path, top):
    _, labels = labels_of(path, top)
    unreadable = int((labels.classes[:, 0] == soft_labels.NONE).sum())
    return ShardEntry(images=len(labels.rest), unreadable=unreadable)


def _write_first(path, description):
    """Writes a file unless another job is first."""
    with contextlib.suppress(FileExistsError), replacing(path) as partial:
        partial.write_text(_text(description), encoding="utf-8")
        try:
            os.link(partial, path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links, as those over object stores: the last job counts.
            pass


def _text(description):
    return description.model_dump_json(indent=1) + "\n"


# What two folders of the same labels have alike; names and places may differ.
_IDENTITY: dict[str, Callable[[Description], object]] = {
    "of another teacher": lambda labels: labels.teacher.sha256,
    "of images prepared otherwise": lambda labels: labels.teacher.model_dump(exclude={"name", "sha256"}),
    "of other classes": lambda labels: labels.classes,
    "of other images": lambda labels: labels.data.sha256,
    "with another --top": lambda labels: labels.top,
    "with another --most-pixels": lambda labels: labels.most_pixels,
}
