"""The endless shuffled order of record files, as streams of which each worker reads its own files alone.

Record files can only be read from their beginning. So an order that several workers share must be made of long pieces:

* The files of an epoch are put in a shuffled order and laid end to end, and so are the epochs: an endless line.
* A pass takes as much of the line as can be cut into equally long ranges, one for each stream. What is left over, fewer
  records than streams, begins the next pass.
* A stream reads its range in blocks, and shuffles the records of each.
* Position `p` of the order is record `p // streams` of stream `p % streams`.

A worker takes every n-th position, hence every n-th stream, and opens the files of these. The number of streams is a
part of the order, that of workers is not.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
import tensorflow as tf

# How many there are where a recipe does not say.
STREAMS = 16
# Undecoded records of all streams that are shuffled at a time; as many are read ahead. Of ImageNet these are 1.8 GB.
SHUFFLED_RECORDS = 8_192


class RecordFiles(NamedTuple):
    """Parts of TFRecord files, as tensors.

    Attributes:
        paths: The files, strings `[files]`.
        skips: Records to pass over at the beginning of each, int64 `[files]`.
        takes: How many records to use, int64 `[files]`.
    """

    paths: tf.Tensor
    skips: tf.Tensor
    takes: tf.Tensor

    @classmethod
    def of(cls, parts: Iterable[tuple[str, int, int]]) -> Self:
        """Makes the tensors of `(path, skip, take)` for each file."""
        paths, skips, takes = zip(*parts, strict=True)
        with tf.device("CPU"):
            return cls(tf.constant(paths), tf.constant(skips, tf.int64), tf.constant(takes, tf.int64))

    def records(self) -> tf.data.Dataset:
        """Returns the serialised records, in order."""
        files = tf.data.Dataset.from_tensor_slices(tuple(self))
        return files.flat_map(lambda path, skip, take: tf.data.TFRecordDataset(path).skip(skip).take(take))


# Nothing here is to be rewritten, and the search for what is would take time.
@tf.autograph.experimental.do_not_convert
def shuffled_records(
    files: RecordFiles, streams: int, seed: int, start: int = 0, shard: int = 0, num_shards: int = 1
) -> tf.data.Dataset:
    """Returns the endless shuffled order of all records, or a worker's share of it.

    Args:
        files: The `RecordFiles`.
        streams: Number of streams, a multiple of `num_shards`.
        seed: Integer for the order.
        start: The first position. The block that it is in is read again, files before it are not opened.
        shard: Which positions to yield: those that are `shard` modulo `num_shards`.
        num_shards: Number of shards.

    Returns:
        An endless `tf.data.Dataset` of serialised records.
    """
    order = _Order(files, streams, seed)
    # Of each of its streams the first position from the start on.
    firsts = np.array([place for place in range(start, start + streams) if place % num_shards == shard])
    cycle = tf.data.Dataset.from_tensor_slices((firsts % streams, firsts // streams))
    return cycle.interleave(
        order.stream, cycle_length=len(firsts), block_length=1, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )


class _Order:
    """The order of one seed."""

    def __init__(self, files, streams, seed):
        self._files = files
        self._count = int(tf.reduce_sum(files.takes))
        self._streams = streams
        self._seed = tf.constant(seed, tf.int64)
        self._block = max(SHUFFLED_RECORDS // streams, 1)
        # How many epochs before its own a pass may begin in, because of what was left over.
        self._earlier = -(-(streams - 1) // self._count)

    def stream(self, stream, place):
        """The records of a stream from one of them on."""
        # The last pass that begins there or before.
        first = ((place + 1) * self._streams - 1) // self._count
        return tf.data.Dataset.counter(first).flat_map(lambda number: self._range(stream, number, place))

    def _range(self, stream, number, place):
        """The records of a stream in one pass, without those before a place."""
        begin, end = (epochs * self._count // self._streams for epochs in (number, number + 1))
        length = end - begin
        skipped = tf.maximum(place - begin, 0)
        first = skipped // self._block
        on_line = begin * self._streams + stream * length
        records = self._line(on_line + first * self._block, on_line + length, number).records()
        seed = tf.random.fold_in(self._seeds(number)[1], stream)

        def shuffle(index, block):
            expected = tf.minimum(length - index * self._block, self._block)
            message = "a record file has fewer records than its dataset says"
            with tf.control_dependencies([tf.debugging.assert_equal(tf.size(block, tf.int64), expected, message)]):
                return tf.random.experimental.stateless_shuffle(block, tf.random.fold_in(seed, index))

        blocks = records.batch(self._block).enumerate(first).map(shuffle).prefetch(1)
        return blocks.unbatch().skip(skipped % self._block)

    def _line(self, begin, end, number):
        """The files of a piece of the line, which ends in the epoch of that number."""
        epochs = [number - earlier for earlier in range(self._earlier, -1, -1)]
        indices = tf.range(len(self._files.paths))
        orders = [tf.random.experimental.stateless_shuffle(indices, self._seeds(epoch)[0]) for epoch in epochs]
        paths, skips, takes = (tf.gather(column, tf.concat(orders, axis=0)) for column in self._files)
        ends = epochs[0] * self._count + tf.cumsum(takes)
        begins = ends - takes
        skipped = tf.maximum(begin - begins, 0)
        taken = tf.minimum(ends, end) - begins - skipped
        some = taken > 0
        return RecordFiles(paths[some], (skips + skipped)[some], taken[some])

    def _seeds(self, number):
        """The seeds of an epoch's order of files, and of the blocks of a pass."""
        return tf.unstack(tf.random.split(tf.stack([self._seed, number]), 2))
