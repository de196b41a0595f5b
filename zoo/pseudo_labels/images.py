"""Images without labels, in shards that are labelled apart: ranges of files or of an array, or files of records."""

import abc
import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lambda_keras.zoo.data.reading import reading_images

# A function of a shard and of a place in it, both int64 scalars, to whether the image there is wanted.
Wanted = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# Of `tf.data.Dataset.take`.
_ALL = -1


class Images(abc.ABC):
    """Images without labels, in shards.

    Attributes:
        shards: The name of each shard.
        counts: How many images each has; `None` where the files do not say.
        channels: Channels of images that are decoded already; `None` of encoded ones.
        sha256: What tells these images, in these shards, from others.
    """

    shards: list[str]
    counts: list[int] | None
    channels: int | None = None
    sha256: str

    def read(self, shard: tf.Tensor, wanted: Wanted | None = None) -> tf.data.Dataset:
        """Returns the images of a shard in order; runs in a graph, too.

        Args:
            shard: Its number, an int64 scalar.
            wanted: Which images to read; all by default.

        Returns:
            A `tf.data.Dataset` of `(place, id, image)`: the number of the image in its shard, int64; its id, a string
            that no other image of all shards has; and the bytes of its file, a string, or uint8
            `[height, width, channels]`.
        """

        def read(place, item):
            return place, *self._read(shard, place, item)

        items = self._items(shard).enumerate()
        if wanted is not None:
            items = items.filter(functools.partial(_is_wanted, wanted, shard))
        return items.map(read, tf.data.AUTOTUNE)

    @abc.abstractmethod
    def _items(self, shard):
        """Returns the items of a shard, in order; an item is whatever `_read` takes."""

    @abc.abstractmethod
    def _read(self, shard, place, item):
        """Returns the id and the image of an item."""


class _Ranges(Images):
    """Images that are accessible by their index: each shard has as many, the last one what is left."""

    def __init__(self, count: int, images_per_shard: int):
        starts = range(0, count, images_per_shard)
        self.counts = [min(images_per_shard, count - start) for start in starts]
        self.shards = [f"{start}-{start + length}" for start, length in zip(starts, self.counts, strict=True)]
        self._count, self._images_per_shard = count, images_per_shard

    def _items(self, shard):
        start = shard * self._images_per_shard
        return tf.data.Dataset.range(start, tf.minimum(start + self._images_per_shard, self._count))


class ImageFiles(_Ranges):
    """Images in files of their own; the id of each is its path from a folder.

    Args:
        folder: The folder.
        paths: The files, as paths from there.
        images_per_shard: How many make a shard.
    """

    def __init__(self, folder: str | Path, paths: Sequence[str], images_per_shard: int):
        super().__init__(len(paths), images_per_shard)
        ids = [os.fsencode(path) for path in paths]
        self.sha256 = _sha256(b"files", images_per_shard, *ids)
        with tf.device("CPU"):
            self._folder = tf.constant(os.fsencode(Path(folder)) + b"/")
            self._ids = tf.constant(ids)

    def _read(self, shard, place, index):
        name = self._ids[index]
        return name, tf.io.read_file(self._folder + name)


class ImageArray(_Ranges):
    """Images in memory; the id of each is its number.

    Args:
        images: uint8 `[count, height, width, channels]`.
        images_per_shard: How many make a shard.
    """

    def __init__(self, images: tf.Tensor, images_per_shard: int):
        super().__init__(len(images), images_per_shard)
        self._images, self.channels = images, images.shape[-1]
        self.sha256 = _sha256(b"array", images_per_shard, tuple(images.shape), images.numpy().tobytes())

    def _read(self, shard, place, index):
        return tf.as_string(index), self._images[index]


class ImageRecords(Images):
    """Images in TFRecord files, each of which is a shard; an id is the name of the file and a number.

    Args:
        files: For each file `(path, skip, take)`: records to pass over at its beginning, and how many to use; `None`
            for all.
        parse: A function of a serialised example that returns the encoded image.
    """

    def __init__(self, files: Iterable[tuple[str, int, int | None]], parse: Callable[[tf.Tensor], tf.Tensor]):
        paths, skips, takes = zip(*files, strict=True)
        self.shards = [os.path.basename(path) for path in paths]
        self.counts = None if None in takes else list(takes)
        self.sha256 = _sha256(b"records", self.shards, [os.path.getsize(path) for path in paths], skips, takes)
        self._parse = parse
        with tf.device("CPU"):
            self._paths, self._names = tf.constant(paths), tf.constant(self.shards)
            self._skips = tf.constant(skips, tf.int64)
            self._takes = tf.constant([_ALL if take is None else take for take in takes], tf.int64)

    def _items(self, shard):
        return tf.data.TFRecordDataset(self._paths[shard]).skip(self._skips[shard]).take(self._takes[shard])

    def _read(self, shard, place, record):
        number = tf.as_string(self._skips[shard] + place)
        return tf.strings.join([self._names[shard], "__", number]), self._parse(record)


def _is_wanted(wanted, shard, place, item):
    return wanted(shard, place)


def _sha256(*values):
    digest = hashlib.sha256()
    for value in values:
        content = value if isinstance(value, bytes) else repr(value).encode()
        # With its length, so that no two lists of values give the same bytes.
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()


class Found(NamedTuple):
    """An image of a shard.

    Attributes:
        shard: The number of the shard.
        place: The number of the image in it.
        id: The id, bytes.
        image: The bytes of its file, or uint8 `[height, width, channels]`.
    """

    shard: int
    place: int
    id: bytes
    image: bytes | np.ndarray


def stream(images: Images, wanted: Wanted | None = None, shards: Sequence[int] | None = None) -> Iterator[Found]:
    """Yields the images of all shards, or some of them, in order.

    Args:
        images: The `Images`.
        wanted: Which to read; all by default.
        shards: The shards to look into; all by default.

    Yields:
        A `Found`.

    Raises:
        UserError: A file cannot be read, or is no file of records.
    """

    # One graph for all shards: to trace it takes longer than to read some.
    @tf.autograph.experimental.do_not_convert
    def of_shard(shard):
        return images.read(shard, wanted).map(lambda place, identifier, image: (shard, place, identifier, image))

    numbers = np.arange(len(images.shards)) if shards is None else np.asarray(shards, "int64")
    found = tf.data.Dataset.from_tensor_slices(numbers).flat_map(of_shard).prefetch(tf.data.AUTOTUNE)
    with reading_images():
        for shard, place, identifier, image in found.as_numpy_iterator():
            yield Found(int(shard), int(place), identifier, image)


def among(shards: Sequence[int], places: Sequence[int]) -> Wanted:
    """Says that some images are wanted, few enough to look through for each image.

    Args:
        shards: The shard of each.
        places: Its place in the shard.
    """
    shard_column, place_column = tf.constant(shards, tf.int64), tf.constant(places, tf.int64)
    return lambda shard, place: tf.reduce_any((shard_column == shard) & (place_column == place))


def where(mask: np.ndarray, counts: Sequence[int]) -> Wanted:
    """Says that the images are wanted for which a mask is true.

    Args:
        mask: bool `[images]`, over all shards.
        counts: Images of each shard.
    """
    first, flags = tf.constant(starts(counts)), tf.constant(mask)
    return lambda shard, place: flags[first[shard] + place]


def starts(counts: Iterable[int]) -> np.ndarray:
    """The number of the first image of each shard, counted over all shards, and of one after the last.

    Args:
        counts: Images of each shard.

    Returns:
        int64 `[shards + 1]`, an array.

    Example:
        >>> starts([2, 3])
        array([0, 2, 5])
    """
    return np.concatenate([[0], np.cumsum(list(counts), dtype="int64")])
