import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from benchmarks.opened_files import opened_files
from lambda_keras.zoo.data import record_streams
from lambda_keras.zoo.data.record_streams import RecordFiles, shuffled_records

SEED, BLOCKS = 5, 40


@dataclasses.dataclass
class Files:
    """Files of small records, whose bytes are their numbers, with others before and behind them."""

    folder: str
    takes: list
    streams: int

    def write(self):
        numbers = itertools.count()
        for file, take in enumerate(self.takes):
            with tf.io.TFRecordWriter(f"{self.folder}/{file:02}") as writer:
                for content in [254] * (file % 3) + [next(numbers) for _ in range(take)] + [255]:
                    writer.write(bytes([content % 256]))
        return RecordFiles.of(
            (f"{self.folder}/{file:02}", file % 3, take) for file, take in enumerate(self.takes) if take
        )

    def order(self, passes):
        """The first passes as the module's docstring says, in NumPy; the random numbers alone are TensorFlow's."""
        records = np.split(np.arange(sum(self.takes)), np.cumsum(self.takes)[:-1])
        line, found = np.zeros(0, int), []
        for number in range(passes):
            file_seed, block_seed = tf.random.split(np.array([SEED, number]), 2)
            line = np.concatenate([line, *(records[file] for file in shuffled(range(len(records)), file_seed))])
            length = len(line) // self.streams
            ranges = line[: self.streams * length].reshape(self.streams, length)
            line = line[self.streams * length :]
            found.append(
                np.stack([self.in_blocks(part, block_seed, s) for s, part in enumerate(ranges)], axis=1).ravel()
            )
        return np.concatenate(found).tolist()

    def in_blocks(self, part, seed, stream):
        size = BLOCKS // self.streams
        blocks = [part[start : start + size] for start in range(0, len(part), size)]
        seed = tf.random.fold_in(seed, np.int64(stream))
        return np.concatenate(
            [shuffled(block, tf.random.fold_in(seed, np.int64(index))) for index, block in enumerate(blocks)] or [part]
        )


def shuffled(values, seed):
    return tf.random.experimental.stateless_shuffle(np.array(values), seed).numpy()


def numbers(dataset, count):
    return [record[0] for record in dataset.take(count).as_numpy_iterator()]


@pytest.fixture(autouse=True, scope="module")
def _small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_streams, "SHUFFLED_RECORDS", BLOCKS)
        yield


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """100 records in files of other lengths, in 8 streams: 4 are left over by an epoch."""
    made = Files(tmp_path_factory.mktemp("eight"), [11, 17, 1, 23, 8, 12, 9, 4, 15], 8)
    return made, made.write(), made.order(passes=6)


def test_the_order_is_as_described(eight):
    made, files, order = eight
    assert numbers(shuffled_records(files, made.streams, SEED), 400) == order[:400]
    assert order[:96] != order[96:192]
    # What one epoch leaves over comes in the next: after two of them there is nothing.
    for epochs in (2, 4):
        assert sorted(order[: 100 * epochs]) == sorted(list(range(100)) * epochs)
    assert len(set(order[:96])) == 96


def test_fewer_records_than_streams(tmp_path):
    made = Files(tmp_path, [2, 1], 8)
    order = made.order(passes=24)
    assert numbers(shuffled_records(made.write(), 8, SEED), 72) == order
    assert sorted(order[:24]) == sorted([0, 1, 2] * 8)


def test_one_stream_has_its_epochs_one_after_the_other(tmp_path):
    made = Files(tmp_path, [30, 30, 23], 1)
    order = numbers(shuffled_records(made.write(), 1, SEED), 166)
    assert order == made.order(passes=2)
    assert sorted(order[:83]) == sorted(order[83:]) == list(range(83))


# An example takes a second, and a smaller one says no more.
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(start=st.integers(0, 500), num_shards=st.sampled_from([1, 2, 4, 8]), data=st.data())
def test_any_number_of_workers_reads_the_same_order_from_any_start(eight, start, num_shards, data):
    made, files, order = eight
    shard = data.draw(st.integers(0, num_shards - 1))
    expected = [order[place] for place in range(start, 590) if place % num_shards == shard]
    found = numbers(shuffled_records(files, made.streams, SEED, start, shard, num_shards), len(expected))
    assert found == expected


def test_a_worker_opens_its_share_of_the_files(tmp_path):
    files = Files(tmp_path, [30] * 40, 8).write()
    # A stream has 5 files in a pass. 125 of its 150 records end in the last one, and what is read ahead ends there too.
    for workers in (1, 2, 4, 8):
        share = shuffled_records(files, 8, SEED, num_shards=workers)
        opened = opened_files(tmp_path, lambda share=share, count=8 * 125 // workers: numbers(share, count))
        assert len(opened) == len(set(opened)) == 40 / workers


def test_a_start_opens_no_file_before_its_block(tmp_path):
    made = Files(tmp_path, [6] * 40, 8)
    files = made.write()
    # A stream has 30 records in 5 files and 6 blocks: the last block is in the last file.
    opened = opened_files(tmp_path, lambda: numbers(shuffled_records(files, 8, SEED, start=8 * 27), 24))
    order = shuffled(range(40), tf.random.split(np.array([SEED, 0]), 2)[0])
    last_files = {f"{file:02}" for file in order[4::5]}
    assert last_files <= set(opened)
    # How far a stream reads ahead into the next pass is a matter of time; it has the files in an order of its own.
    earlier = {f"{file:02}" for place, file in enumerate(order) if place % 5 != 4}
    next_pass = shuffled(range(40), tf.random.split(np.array([SEED, 1]), 2)[0])
    early_in_next = {f"{file:02}" for place, file in enumerate(next_pass) if place % 5 < 2}
    assert set(opened) & earlier <= early_in_next


def test_a_file_that_was_cut_off_ends_the_training_rather_than_change_the_order(tmp_path):
    files = Files(tmp_path, [6, 6, 6], 2).write()
    longer = RecordFiles(files.paths, files.skips, files.takes + 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a record file has fewer records than its dataset says"):
        numbers(shuffled_records(longer, 2, SEED), 27)
