import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_keras.zoo.data.splits import ArraySplit, FileSplit, RecordSplit
from lambda_keras.zoo.errors import UserError

COUNT = 23
SKIPPED, TAKEN = (2, 0, 1), (11, 7, 5)


@pytest.fixture(scope="module", params=["arrays", "files", "records"])
def split(request, tmp_path_factory):
    """23 images of each kind of split. The pixel, or the byte, of an image is its index, its label 100 more."""
    labels = np.arange(COUNT) + 100
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "arrays":
        return ArraySplit(np.arange(COUNT, dtype="uint8").reshape(-1, 1, 1, 1), labels)
    if request.param == "files":
        for index in range(COUNT):
            (folder / f"{index}.jpg").write_bytes(bytes([index]))
        return FileSplit([folder / f"{index}.jpg" for index in range(COUNT)], labels)
    indices = iter(range(COUNT))
    for file, (skipped, taken) in enumerate(zip(SKIPPED, TAKEN, strict=True)):
        with tf.io.TFRecordWriter(str(folder / f"{file}.tfrecord")) as writer:
            for content in [99] * skipped + [next(indices) for _ in range(taken)] + [98]:
                writer.write(bytes([content]))
    files = [(str(folder / f"{file}.tfrecord"), *part) for file, part in enumerate(zip(SKIPPED, TAKEN, strict=True))]
    # Of one stream, so that its epochs are as those of the others.
    return RecordSplit(files, parse_byte, streams=1)


def parse_byte(record):
    return record, tf.cast(tf.io.decode_raw(record, tf.uint8)[0], tf.int64) + 100


@pytest.fixture(scope="module")
def arrays():
    return ArraySplit(np.arange(COUNT, dtype="uint8").reshape(-1, 1, 1, 1), np.arange(COUNT) + 100)


def test_images_of_classes(split):
    counts = split.images_of_classes(100 + COUNT + 1)
    assert counts.tolist() == [0] * 100 + [1] * COUNT + [0]


def index_of(image):
    return image[0] if isinstance(image, bytes) else int(image.squeeze())


def indices(stream, count=None):
    """The indices of a stream's images; that their labels belong to them is checked on the way."""
    found = []
    for *_, image, label in (stream if count is None else stream.take(count)).as_numpy_iterator():
        found.append(index_of(image))
        assert label == found[-1] + 100
    return found


def test_in_order_each_image_comes_once(split):
    assert split.count == COUNT
    assert indices(split.ordered()) == list(range(COUNT))


def test_shards_in_order_are_every_nth_image(split):
    assert [indices(split.ordered(shard, 3)) for shard in range(3)] == [list(range(s, COUNT, 3)) for s in range(3)]


def test_the_kinds_of_image_and_label(split):
    image, label = split.ordered().element_spec
    assert image.dtype in (tf.uint8, tf.string)
    assert (label.dtype, label.shape) == (tf.int64, [])
    position, *example = split.shuffled(0).element_spec
    assert (position.dtype, position.shape) == (tf.int64, [])
    assert tuple(example) == (image, label)


def test_every_epoch_is_another_permutation(split):
    stream = indices(split.shuffled(0), 4 * COUNT)
    epochs = [tuple(stream[start : start + COUNT]) for start in range(0, 4 * COUNT, COUNT)]
    assert all(sorted(epoch) == list(range(COUNT)) for epoch in epochs)
    assert len(set(epochs)) == 4
    assert tuple(range(COUNT)) not in epochs


def test_the_order_is_a_function_of_the_seed_alone(split):
    first = indices(split.shuffled(3), 2 * COUNT)
    tf.random.set_seed(12345)
    assert indices(split.shuffled(3), 2 * COUNT) == first
    assert indices(split.shuffled(4), 2 * COUNT) != first


def test_positions_are_counted_from_the_beginning_of_the_stream(arrays):
    positions = [int(position) for position, _, _ in arrays.shuffled(0, 30, 1, 2).take(4).as_numpy_iterator()]
    assert positions == [31, 33, 35, 37]


def test_workers_that_cannot_share_the_streams_are_refused(tmp_path):
    split = RecordSplit([(str(tmp_path / "file"), 0, 20)], parse_byte, streams=8)
    with pytest.raises(UserError, match=r"3 workers cannot share 8 streams .* set data\.streams"):
        split.shuffled(0, num_shards=3)


def test_the_stream_is_endless_and_says_so(split):
    # Keras and tf.distribute count steps wrongly on a dataset whose length they do not know.
    assert split.shuffled(0).cardinality() == tf.data.INFINITE_CARDINALITY


@settings(max_examples=12, deadline=None)
@given(start=st.integers(0, 3 * COUNT), num_shards=st.integers(1, 5), data=st.data())
def test_any_start_and_shard_is_a_slice_of_the_whole_stream(arrays, start, num_shards, data):
    shard = data.draw(st.integers(0, num_shards - 1))
    end = 4 * COUNT
    whole = indices(arrays.shuffled(7), end)
    expected = [whole[position] for position in range(start, end) if position % num_shards == shard]
    assert indices(arrays.shuffled(7, start, shard, num_shards), len(expected)) == expected


def test_files_before_the_start_are_not_read(tmp_path):
    images = np.arange(20, dtype="uint8").reshape(-1, 1, 1, 1)
    order = indices(ArraySplit(images, np.arange(20) + 100).shuffled(5), 20)
    for index in order[17:]:
        (tmp_path / f"{index}").write_bytes(bytes([index]))
    split = FileSplit([tmp_path / f"{index}" for index in range(20)], np.arange(20) + 100)
    assert indices(split.shuffled(5, start=17), 3) == order[17:]
    with pytest.raises(tf.errors.NotFoundError):
        indices(split.shuffled(5, start=16), 1)


def test_records_of_other_shards_are_not_parsed(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "file")) as writer:
        for index in range(20):
            writer.write(bytes([index]))
    parsed = tf.Variable(0)

    def parse(record):
        with tf.control_dependencies([parsed.assign_add(1)]):
            return tf.identity(record), tf.constant(0, tf.int64)

    split = RecordSplit([(str(tmp_path / "file"), 0, 20)], parse)
    assert [image for image, _ in split.ordered(shard=17, num_shards=20).as_numpy_iterator()] == [bytes([17])]
    assert int(parsed) == 1


def test_permutations_of_epochs_and_seeds_are_not_alike():
    """Correlations of ranks within what chance gives: 5 standard deviations of 276 pairs of 600 images."""
    count, seeds = 600, 4
    split = ArraySplit(np.zeros((count, 1, 1, 1), "uint8"), np.arange(count))
    orders = []
    for seed in range(seeds):
        stream = split.shuffled(seed).map(lambda position, image, label: label).batch(count).take(6)
        orders += list(stream.as_numpy_iterator())
    correlations = np.corrcoef(orders) - np.eye(len(orders))
    assert np.abs(correlations).max() < 5 / np.sqrt(count)
