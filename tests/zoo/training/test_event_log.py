import itertools

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training.event_log import EventLog
from tests.little_room import little_room


@pytest.fixture
def log(tmp_path):
    return EventLog(tmp_path / "events", tf.Variable(7, dtype=tf.int64))


def read(folder):
    """Tag, step and content of all whole events of a folder, as TensorBoard reads them."""
    values = []
    for file in sorted(folder.iterdir()):
        try:
            for event in tf.compat.v1.train.summary_iterator(str(file)):
                values += [(value.tag, event.step, tf.make_ndarray(value.tensor)) for value in event.summary.value]
        except tf.errors.DataLossError:
            pass  # A record that is cut off is the last.
    return values


def test_scalars_are_of_the_step_and_pictures_of_the_epoch(log, tmp_path):
    log.write_summaries({"loss": 1.5})
    log.write_pictures({"table": np.zeros((1, 2, 3, 3), "uint8")}, epoch=4)
    loss, table = read(tmp_path / "events")
    assert loss == ("loss", 7, 1.5)
    width, height, picture = table[2]
    assert (table[0], table[1], width, height) == ("table", 4, b"3", b"2")
    assert tf.io.decode_png(picture).shape == (2, 3, 3)


def test_a_worker_that_is_not_the_chief_writes_nothing(tmp_path):
    log = EventLog(None, tf.Variable(7, dtype=tf.int64))
    log.write_summaries({"loss": 1.5})
    log.write_pictures({"table": np.zeros((1, 2, 3, 3), "uint8")}, epoch=4)


def write_scalars(log, numbers):
    for number in numbers:
        log.write_summaries({"loss": float(number)})


def write_pictures(log, numbers):
    for number in numbers:
        log.write_pictures({"table": np.zeros((1, 2, 3, 3), "uint8")}, number)


@pytest.mark.parametrize("write_all", [write_scalars, write_pictures])
def test_a_full_disk_is_one_line_and_leaves_the_events_that_were_there(write_all, log, tmp_path):
    log.write_summaries({"before": 1.0})
    events = tmp_path / "events"
    numbers = itertools.count()
    expected = f"^cannot write to {events}: File too large; make room there and run the same command again$"
    with little_room(), pytest.raises(UserError, match=expected):
        write_all(log, numbers)
    before, *others = read(events)
    assert before[0] == "before"
    assert 10 < len(others) == next(numbers) - 1


def test_a_folder_that_cannot_be_made_is_one_line(log, tmp_path):
    (tmp_path / "events").write_text("a file")
    with pytest.raises(UserError, match=f"^cannot write to {tmp_path}/events: Not a directory; make room there"):
        log.write_summaries({"loss": 1.5})
