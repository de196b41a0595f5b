"""What the catalog returns: a dataset in three parts, each a stream in order or an endless shuffled one."""

import abc
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from lambda_keras.zoo.data import record_streams
from lambda_keras.zoo.data.record_streams import RecordFiles
from lambda_keras.zoo.errors import UserError

# Labels that are counted at a time.
LABELS_AT_ONCE = 16_384


class Split(abc.ABC):
    """One part of a dataset, whose images can be read in order or as an endless shuffled stream.

    Every epoch has each image once, in an order that is a function of the seed and the epoch alone. So the shuffled
    stream can be taken up at any position, and workers can share it by position: together they see exactly what one
    worker would.

    An image is a uint8 tensor `[height, width, channels]`, or a scalar string with the bytes of its file. Which of
    both is the same for all images of a split. A label is an int64 scalar, or float32 `[classes]`: the share of each.

    Attributes:
        count: Number of images.
    """

    def __init__(self, count: int):
        self.count = count

    def ordered(self, shard: int = 0, num_shards: int = 1) -> tf.data.Dataset:
        """Returns a finite `tf.data.Dataset` of `(image, label)`: each image once, always in the same order.

        Args:
            shard: Which images to yield: those whose index is `shard` modulo `num_shards`.
            num_shards: Number of shards.
        """
        return self._in_order().shard(num_shards, shard).map(self._read, tf.data.AUTOTUNE)

    def shuffled(self, seed: int, start: int = 0, shard: int = 0, num_shards: int = 1) -> tf.data.Dataset:
        """Returns an endless `tf.data.Dataset` of `(position, image, label)`, in the order of positions.

        Args:
            seed: Integer for the order.
            start: The first position; those before are passed over before an image is read or decoded.
            shard: Which positions to yield: those that are `shard` modulo `num_shards`.
            num_shards: Number of shards.
        """
        items = self._shuffled(seed, start, shard, num_shards)
        positions = tf.data.Dataset.counter(start + (shard - start) % num_shards, num_shards)
        stream = tf.data.Dataset.zip(positions, items)
        stream = stream.map(lambda position, item: (position, *self._read(item)), tf.data.AUTOTUNE)
        return stream.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))

    def described(self) -> dict[str, str]:
        """Returns what a run that is continued must find again, for its folder; nothing where the seed says all."""
        return {}

    def images_of_classes(self, classes: int) -> np.ndarray:
        """Counts the images of each class, without decoding one; record files are read once.

        Args:
            classes: Number of classes.

        Returns:
            int64 `[classes]`, an array.
        """
        counts = np.zeros(classes, "int64")
        for batch in self.labels().batch(LABELS_AT_ONCE).as_numpy_iterator():
            counts += np.bincount(batch, minlength=classes)
        return counts

    def labels(self) -> tf.data.Dataset:
        """Returns a finite `tf.data.Dataset` of the labels of all images, in order; files of images are not read."""
        return self._in_order().map(lambda item: self._read(item)[1], tf.data.AUTOTUNE)

    @abc.abstractmethod
    def _in_order(self):
        """Returns all items, in order; an item is whatever `_read` takes."""

    @abc.abstractmethod
    def _shuffled(self, seed, start, shard, num_shards):
        """Returns the endless items of a shard in shuffled order, from the first of its positions on."""

    @abc.abstractmethod
    def _read(self, item):
        """Returns the image and the label of an item."""


class RandomAccessSplit(Split):
    """A split whose images are accessible by their index, so that shuffling costs a permutation of integers.

    An item is an index, int64. Position `p` of the shuffled stream belongs to epoch `p // count`.
    """

    def _in_order(self):
        return tf.data.Dataset.range(self.count)

    def _shuffled(self, seed, start, shard, num_shards):
        def epoch_from_start(epoch):
            # Not `tf.random.experimental.index_shuffle`: its orders of neighbouring seeds are much alike.
            indices = tf.range(self.count, dtype=tf.int64)
            order = tf.random.experimental.stateless_shuffle(indices, tf.stack([seed, epoch]))
            return tf.data.Dataset.from_tensor_slices(order[tf.maximum(start - epoch * self.count, 0) :])

        stream = tf.data.Dataset.counter(start // self.count).flat_map(epoch_from_start)
        return stream.shard(num_shards, (shard - start) % num_shards)


class ArraySplit(RandomAccessSplit):
    """Images in memory.

    Args:
        images: uint8 `[count, height, width, channels]`.
        labels: Integers `[count]`.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        super().__init__(len(images))
        with tf.device("CPU"):
            self._images = tf.constant(images)
            self._labels = tf.constant(labels, tf.int64)

    @property
    def images(self) -> tf.Tensor:
        """The images, uint8 `[count, height, width, channels]`."""
        return self._images

    def _read(self, item):
        return self._images[item], self._labels[item]


class FileSplit(RandomAccessSplit):
    """Encoded images in files of their own.

    Args:
        paths: The files.
        labels: Integers `[count]`.
    """

    def __init__(self, paths: Sequence[Path], labels: Sequence[int]):
        super().__init__(len(paths))
        with tf.device("CPU"):
            self._paths = tf.constant([os.fsencode(path) for path in paths], tf.string)
            self._labels = tf.constant(labels, tf.int64)

    @property
    def paths(self) -> list[str]:
        """The files."""
        return [os.fsdecode(path) for path in self._paths.numpy()]

    def _read(self, item):
        return tf.io.read_file(self._paths[item]), self._labels[item]


class RecordSplit(Split):
    """Encoded images in TFRecord files, which can only be read from their beginning.

    An item is a serialised example. The shuffled order is that of `lambda_keras.zoo.data.record_streams`: several
    workers open each its own files, and a stream that starts within an epoch reads from there on. In `ordered` each
    worker reads all records, though it decodes its own only.

    Args:
        files: For each file `(path, skip, take)`: records to pass over at its beginning, and how many to use.
        parse: A function of a serialised example that returns the encoded image and the int64 label.
        streams: How many streams the shuffled order is made of; the number of workers must divide it.
    """

    def __init__(
        self,
        files: Iterable[tuple[str, int, int]],
        parse: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        streams: int = record_streams.STREAMS,
    ):
        self._files = RecordFiles.of(files)
        super().__init__(int(tf.reduce_sum(self._files.takes)))
        self._parse = parse
        self._streams = streams

    def described(self) -> dict[str, str]:
        """Returns how its order is made."""
        return {"order": f"{self._streams} streams of records"}

    def _in_order(self):
        return self._files.records()

    def _shuffled(self, seed, start, shard, num_shards):
        if self._streams % num_shards:
            raise UserError(
                f"{num_shards} workers cannot share {self._streams} streams of records equally; start a number of "
                "workers that divides it, or set data.streams for a new run"
            )
        return record_streams.shuffled_records(self._files, self._streams, seed, start, shard, num_shards)

    def _read(self, item):
        return self._parse(item)


@dataclass(frozen=True)
class Dataset:
    """A dataset in three parts; no image of the training part is in another one.

    Attributes:
        name: What a recipe calls it.
        class_names: The name of each label, in order.
        channels: Channels of an image.
        mean: Mean of each channel that the images are normalised with, on the scale 0 to 1.
        std: Standard deviation of each channel, on the same scale.
        train: What the weights learn from, a `Split`.
        validation: For curves and choices, a `Split`.
        test: Looked at once, after training, a `Split`.
    """

    name: str
    class_names: tuple[str, ...]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Split
    validation: Split
    test: Split
