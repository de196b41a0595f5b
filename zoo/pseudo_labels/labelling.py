"""`lambda-zoo pseudo-label`: a teacher and images without labels in; what it says of each out, shard by shard."""

import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.command_line import narrate, progress_bar, say
from lambda_keras.zoo.data.images import preprocessing
from lambda_keras.zoo.data.images.valid_images import read_stream
from lambda_keras.zoo.data.limits import LARGEST_BATCH, MOST_PIXELS
from lambda_keras.zoo.data.reading import reading_images
from lambda_keras.zoo.errors import UserError, writing_to
from lambda_keras.zoo.pseudo_labels import labels_folder, soft_labels, source
from lambda_keras.zoo.pseudo_labels.images import Images
from lambda_keras.zoo.pseudo_labels.labels_folder import DataEntry, Description, TeacherEntry
from lambda_keras.zoo.pseudo_labels.teacher import Teacher, find_teacher

TOP = 10


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to label, with which teacher and how: all that a job, or a machine of a pipeline, must know.

    Attributes:
        teacher: As `lambda_keras.zoo.pseudo_labels.teacher.find_teacher` takes it.
        place: Where the images are, a `lambda_keras.zoo.pseudo_labels.source.Place`.
        out: The folder to write, see `lambda_keras.zoo.pseudo_labels.labels_folder`. Jobs that share the work have the
            same one.
        weights: As for `lambda_keras.zoo.pseudo_labels.teacher.find_teacher`.
        top: How many classes a label has.
        images_per_shard: As for `lambda_keras.zoo.pseudo_labels.source.find`.
        batch_size: Images that are classified at a time.
        most_pixels: How many pixels an image file may have; others count as unreadable.

    Raises:
        UserError: The batch size is out of its bounds.
    """

    teacher: str
    place: source.Place
    out: str
    weights: str | None = None
    top: int = TOP
    images_per_shard: int = source.IMAGES_PER_SHARD
    batch_size: int = 64
    most_pixels: int = MOST_PIXELS

    def __post_init__(self):
        """Refuses a batch that is empty or too large."""
        if not 1 <= self.batch_size <= LARGEST_BATCH:
            raise UserError(f"--batch-size must be 1 to {LARGEST_BATCH:,}, got {self.batch_size}")


class Batch(NamedTuple):
    """Some images of one shard.

    Attributes:
        shard: Its number.
        ids: Strings `[batch]`.
        images: uint8 `[batch, image_size, image_size, channels]`.
        valid: bool `[batch]`: which of them could be read.
    """

    shard: int
    ids: np.ndarray
    images: np.ndarray
    valid: np.ndarray


class Labelling:
    """A teacher and the images that it is to label, which fit each other and the folder of labels.

    Args:
        settings: The `Settings`.
        jobs: How many jobs share the work.

    Raises:
        UserError: The teacher or the images are missing or do not fit each other, or the folder holds other labels or
            cannot be written.
    """

    def __init__(self, settings: Settings, jobs: int = 1):
        place = settings.place
        self._images = images = source.find(place, settings.images_per_shard)
        if jobs > len(images.shards):
            raise UserError(
                f"{place.data} has too few shards for {jobs:,} jobs: {len(images.shards):,}; take fewer jobs, or fewer "
                "images for each shard"
            )
        self._teacher = teacher = find_teacher(settings.teacher, settings.weights)
        if images.channels not in (None, teacher.preprocessor.channels):
            raise UserError(
                f"{teacher.name} takes images with {teacher.preprocessor.channels} channels, those of {place.data} "
                f"have {images.channels}; give images with as many"
            )
        self._batch_size = settings.batch_size
        self.folder = Path(settings.out)
        with writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._description = labels_folder.open_for(self.folder, _describe(teacher, images, settings))
        self._paths = [self.folder / name for name in self._description.names()]

    def missing(self, shards: Sequence[int]) -> list[int]:
        """Those of some shards that are not labelled yet.

        Args:
            shards: Their numbers.
        """
        return [shard for shard in shards if not self._paths[shard].is_file()]

    def shards_of(self, job: int, jobs: int) -> range:
        """The numbers of the shards that a job labels: every `jobs`-th one.

        Args:
            job: Which of the jobs, from 0.
            jobs: How many they are.
        """
        return range(job, len(self._paths), jobs)

    def label(self, shards: Sequence[int]) -> None:
        """Labels shards one after the other, and says how fast.

        Args:
            shards: Their numbers.

        Raises:
            UserError: Images cannot be read, a probability is not finite, or the folder cannot be written.
        """
        images, description = self._images, self._description
        stream = batches(images, shards, self._teacher.preprocessor, self._batch_size, description.most_pixels)
        total = sum(images.counts[shard] for shard in shards) if images.counts else None
        bar: Any = progress_bar((), total=total, unit="image")
        start, labelled = time.monotonic(), 0
        with writing_to(self.folder):
            for done, (shard, group) in enumerate(_by_shard(stream, shards), start=1):
                records = []
                for batch in group:
                    records += _records(self._teacher, batch, images.shards[shard], description.top, self._batch_size)
                    bar.update(len(batch.ids))
                labels_folder.write_shard(self._paths[shard], records)
                labelled += len(records)
                rate = labelled / (time.monotonic() - start)
                # Files of records do not say how many they have: the others are taken to have as many.
                expected = total or labelled / done * len(shards)
                if not total:
                    bar.total = round(expected)
                if bar.disable:
                    line = [f"{self._paths[shard].name}: {rate:,.1f} images/s"]
                    # A machine of a pipeline gets one shard at a time, and does not know what is left.
                    if len(shards) > 1:
                        left = (expected - labelled) / rate / 60 if labelled else 0
                        line += [f"{done:,} of {len(shards):,} shards", f"{left:,.1f} minutes left"]
                    narrate(", ".join(line))
        bar.close()

    def finish(self) -> None:
        """Counts the labels where all shards are labelled, and says how many there are.

        Raises:
            UserError: A file of labels is damaged.
        """
        with writing_to(self.folder):
            finished = labels_folder.finish(self.folder, self._description)
        if finished is None or finished.shards is None:
            narrate(f"Wrote {self.folder}; other jobs have shards to label still")
            return
        labelled = sum(shard.images for shard in finished.shards.values())
        unreadable = sum(shard.unreadable for shard in finished.shards.values())
        say(f"{labelled - unreadable:,} images are labelled, {unreadable:,} could not be read")
        narrate(f"Wrote {self.folder}")


def pseudo_label(settings: Settings, job: int = 0, jobs: int = 1) -> None:
    """Labels images, and says how many; the same call resumes where it was stopped.

    Args:
        settings: The `Settings`.
        job: Which of the jobs this is, from 0.
        jobs: How many jobs share the work.

    Raises:
        UserError: The teacher or the images are missing or do not fit each other, the folder holds other labels or
            cannot be written.
    """
    labelling = Labelling(settings, jobs)
    own = labelling.shards_of(job, jobs)
    missing = labelling.missing(own)
    narrate(f"{settings.teacher}, shards labelled already: {len(own) - len(missing):,} of {len(own):,}")
    labelling.label(missing)
    labelling.finish()


def batches(
    images: Images, shards: Sequence[int], preprocessor: Preprocessor, batch_size: int, most_pixels: int = MOST_PIXELS
) -> Iterator[Batch]:
    """Reads the images of some shards as a model wants them; no batch has images of two shards.

    Args:
        images: The images.
        shards: The numbers of the shards.
        preprocessor: How the model wants them.
        batch_size: Images at a time; the last batch of a shard may have fewer.
        most_pixels: How many pixels an image file may have.

    Yields:
        A `Batch`.

    Raises:
        UserError: A file cannot be read, or is no file of records.
    """
    size, channels = preprocessor.image_size, preprocessor.channels

    def read(image):
        return preprocessing.prepare(image, channels, preprocessor, most_pixels)

    # One graph for all shards: to trace it takes seconds.
    @tf.autograph.experimental.do_not_convert
    def of_shard(shard):
        stream = images.read(shard).map(lambda place, identifier, image: ((image,), identifier))
        stream = read_stream(stream, read, (size, size, channels))
        return stream.batch(batch_size).map(lambda inputs, ids, valid: (shard, ids, inputs[0], valid))

    numbers = tf.data.Dataset.from_tensor_slices(np.asarray(shards, "int64"))
    stream = numbers.flat_map(of_shard).prefetch(tf.data.AUTOTUNE).as_numpy_iterator()
    with reading_images():
        yield from itertools.starmap(Batch, stream)


def _describe(teacher: Teacher, images: Images, settings: Settings) -> Description:
    preparation = dataclasses.asdict(teacher.preprocessor)
    return Description(
        format=1,
        classes=teacher.class_names,
        teacher=TeacherEntry(name=teacher.name, sha256=teacher.sha256, **preparation),
        data=DataEntry(**settings.place._asdict(), sha256=images.sha256, images_per_shard=settings.images_per_shard),
        top=min(settings.top, len(teacher.class_names)),
        most_pixels=settings.most_pixels,
        files=len(images.shards),
    )


def _by_shard(stream, shards):
    """Yields each shard and its batches, none of a shard without images."""
    grouped = itertools.groupby(stream, key=lambda batch: batch.shard)
    found = next(grouped, None)
    for shard in shards:
        if found is None or found[0] != shard:
            yield shard, ()
            continue
        yield shard, found[1]
        found = next(grouped, None)


def _records(teacher, batch, shard, top, batch_size):
    """The records of a batch, one for each image."""
    encoded = shard.encode()
    valid = batch.valid
    if not valid.any():
        return [soft_labels.to_example(identifier, encoded) for identifier in batch.ids]
    # All batches have the same shape, so that a graph is traced once.
    filled = np.zeros((batch_size, *batch.images.shape[1:]), "uint8")
    filled[: len(valid)] = batch.images
    labels = soft_labels.most_probable(teacher.probabilities(filled)[: len(valid)], top)
    columns = (column.tolist() for column in labels)
    return [
        soft_labels.to_example(identifier, encoded, *(label if is_valid else ()))
        for identifier, is_valid, *label in zip(batch.ids, valid, *columns, strict=True)
    ]
