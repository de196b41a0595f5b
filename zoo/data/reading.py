"""Reading a split in order, image by image as the model of a recipe takes them, into arrays."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lambda_keras.text import first_line
from lambda_keras.zoo.data import input_pipeline
from lambda_keras.zoo.data.splits import Dataset, Split
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.recipe import Data


class Batch(NamedTuple):
    """Some images of a split. All batches have the same shape, so that a graph is traced once.

    Attributes:
        images: uint8 `[batch, image_size, image_size, channels]`; the rows that are not valid do not matter.
        valid: bool `[batch]`: the rows of images that could be read.
        labels: int64 `[valid]`.
        positions: int64 `[valid]`: which images of the split these are.
    """

    images: np.ndarray
    valid: np.ndarray
    labels: np.ndarray
    positions: np.ndarray

    def readable(self) -> np.ndarray:
        """The images that could be read, uint8 `[valid, image_size, image_size, channels]`."""
        return self.images[self.valid]


class Collected(NamedTuple):
    """What is known of the images of a split that could be read.

    Attributes:
        rows: `[read, …]`: what was computed of each.
        labels: int64 `[read]`.
        positions: int64 `[read]`: which images of the split these are.
    """

    rows: np.ndarray
    labels: np.ndarray
    positions: np.ndarray


def batches(split: Split, dataset: Dataset, data: Data, *, batch_size: int, every: int = 1) -> Iterator[Batch]:
    """Yields all images of a split that can be read, or some at even distances, each once and in order.

    Args:
        split: A `lambda_keras.zoo.data.splits.Split`.
        dataset: The `lambda_keras.zoo.data.splits.Dataset` it belongs to.
        data: A `lambda_keras.zoo.recipe.Data`.
        batch_size: Images at a time.
        every: Distance of the images that are read.

    Yields:
        A `Batch`.

    Raises:
        UserError: The disk has no such file, or does not give it.
    """
    stream = input_pipeline.evaluation_batches(split, dataset, data, batch_size=batch_size, num_shards=every)
    with reading_images():
        for number, batch in enumerate(stream.as_numpy_iterator()):
            valid = batch["valid"]
            positions = every * (number * batch_size + np.flatnonzero(valid))
            labels = input_pipeline.labels(batch["target"][valid]).numpy().astype("int64")
            yield Batch(batch["image"], valid, labels, positions)


def collect(batches: Iterable[Batch], compute: Callable[[Batch], np.ndarray], room: np.ndarray) -> Collected:
    """Puts what is computed of all images of a split together, with their labels.

    Args:
        batches: As the function `batches` yields them.
        compute: A function of a `Batch` to `[valid, …]`, such as `Batch.readable`.
        room: An array `[images, …]` for the rows of as many images as there are at most. It is filled: rows that were
            joined in the end would take the memory twice.

    Returns:
        A `Collected`, whose rows are those of `room` that are needed.
    """
    labels, positions, read = np.empty(len(room), "int64"), np.empty(len(room), "int64"), 0
    for batch in batches:
        taken = slice(read, read + len(batch.labels))
        room[taken], labels[taken], positions[taken] = compute(batch), batch.labels, batch.positions
        read = taken.stop
    return Collected(room[:read], labels[:read], positions[:read])


@contextlib.contextmanager
def reading_images() -> Iterator[None]:
    """Makes a `UserError` of what TensorFlow says where an image cannot be read from the disk."""
    try:
        yield
    except tf.errors.OpError as error:
        raise UserError(f"cannot read the images: {first_line(error)}; mend or remove that file") from error
