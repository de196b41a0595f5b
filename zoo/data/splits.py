"""What the catalog returns: a dataset in three parts, each a stream in order or an endless shuffled one."""

import abc
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

# Undecoded examples that a split of record files shuffles among: 1.8 GB of ImageNet's JPEGs.
SHUFFLE_BUFFER = 16_384
# Record files that are read at the same time, examples in turn.
FILES_AT_ONCE = 16


class Split(abc.ABC):
    """One part of a dataset, whose images can be read in order or as an endless shuffled stream.

    Position `p` of the shuffled stream belongs to epoch `p // count`; every epoch has each image once, in an order
    that is a function of the seed and the epoch alone. So a stream can be taken up at any position, and workers can
    share it by position: together they see exactly what one worker would.

    An image is a uint8 tensor `[height, width, channels]`, or a scalar string with the bytes of its file. Which of
    both is the same for all images of a split. A label is an int64 scalar.

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

        def epoch_from_start(epoch):
            return self._shuffled_epoch(tf.stack([seed, epoch]), tf.maximum(start - epoch * self.count, 0))

        def read(position, item):
            return position, *self._read(item)

        stream = tf.data.Dataset.counter(start // self.count).flat_map(epoch_from_start).enumerate(start)
        stream = stream.shard(num_shards, (shard - start) % num_shards).map(read, tf.data.AUTOTUNE)
        return stream.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))

    def images_of_classes(self, classes: int) -> np.ndarray:
        """Counts the images of each class, without decoding one; record files are read once.

        Args:
            classes: Number of classes.

        Returns:
            int64 `[classes]`, an array.
        """
        counts = np.zeros(classes, "int64")
        for batch in self.labels().batch(SHUFFLE_BUFFER).as_numpy_iterator():
            counts += np.bincount(batch, minlength=classes)
        return counts

    def labels(self) -> tf.data.Dataset:
        """Returns a finite `tf.data.Dataset` of the labels of all images, in order; files of images are not read."""
        return self._in_order().map(lambda item: self._read(item)[1], tf.data.AUTOTUNE)

    @abc.abstractmethod
    def _in_order(self):
        """Returns all items, in order; an item is whatever `_read` takes."""

    @abc.abstractmethod
    def _shuffled_epoch(self, seed, skip):
        """Returns the items of an epoch without the first `skip`; `seed` int64 [2] is another one each epoch."""

    @abc.abstractmethod
    def _read(self, item):
        """Returns the image and the label of an item."""


class RandomAccessSplit(Split):
    """A split whose images are accessible by their index, so that shuffling costs a permutation of integers.

    An item is an index, int64.
    """

    def _in_order(self):
        return tf.data.Dataset.range(self.count)

    def _shuffled_epoch(self, seed, skip):
        # Not `tf.random.experimental.index_shuffle`: its orders of neighbouring seeds are much alike.
        order = tf.random.experimental.stateless_shuffle(tf.range(self.count, dtype=tf.int64), seed)
        return tf.data.Dataset.from_tensor_slices(order[skip:])


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
            self._paths = tf.constant([os.fsencode(path) for path in paths])
            self._labels = tf.constant(labels, tf.int64)

    @property
    def paths(self) -> list[str]:
        """The files."""
        return [os.fsdecode(path) for path in self._paths.numpy()]

    def _read(self, item):
        return tf.io.read_file(self._paths[item]), self._labels[item]


class RecordSplit(Split):
    """Encoded images in TFRecord files, which can only be read from their beginning.

    An epoch takes the files in a shuffled order, some at a time, and shuffles examples in a buffer before they are
    decoded. Hence two costs: a stream that starts within an epoch reads the records before its start, and each of
    several workers reads all records, though it decodes its own only.

    Args:
        files: For each file `(path, skip, take)`: records to pass over at its beginning, and how many to use.
        parse: A function of a serialised example that returns the encoded image and the int64 label.
    """

    def __init__(
        self,
        files: Iterable[tuple[str, int, int]],
        parse: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    ):
        paths, skips, takes = zip(*files, strict=True)
        super().__init__(sum(takes))
        self._parse = parse
        with tf.device("CPU"):
            self._files = tf.constant(paths), tf.constant(skips, tf.int64), tf.constant(takes, tf.int64)

    def _in_order(self):
        return tf.data.Dataset.from_tensor_slices(self._files).flat_map(_records)

    def _shuffled_epoch(self, seed, skip):
        # A traced function has a seed of its own, which `shuffle` mixes with its argument. Where it is not set it
        # is the seed of the whole program, and the order would depend on that.
        tf.random.set_seed(1)
        file_seed, buffer_seed = tf.unstack(tf.random.split(seed, 2))
        order = tf.random.experimental.stateless_shuffle(tf.range(len(self._files[0])), file_seed)
        files = tf.data.Dataset.from_tensor_slices(tuple(tf.gather(column, order) for column in self._files))
        records = files.interleave(_records, FILES_AT_ONCE, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return records.shuffle(SHUFFLE_BUFFER, buffer_seed[0], reshuffle_each_iteration=False).skip(skip)

    def _read(self, item):
        return self._parse(item)


def _records(path, skip, take):
    return tf.data.TFRecordDataset(path).skip(skip).take(take)


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
