import threading
import time

import numpy as np
import pytest

from lambda_keras.export.checks.clients import batched_latencies, latencies

IMAGES = np.arange(8, dtype="float32").reshape(8, 1, 1, 1)
BATCHING = {"max_batch_size": 4, "batch_timeout_micros": 20_000, "num_batch_threads": 1}


class Model:
    """A model that takes 10 ms for any batch, and remembers what it was asked at the same time and in one batch."""

    def __init__(self):
        self.batches, self.together, self._running, self._lock = [], 0, 0, threading.Lock()

    def __call__(self, images):
        with self._lock:
            self.batches.append(images.ravel().tolist())
            self._running += 1
            self.together = max(self.together, self._running)
        time.sleep(0.01)
        with self._lock:
            self._running -= 1
        return images.reshape(len(images), 1)


def test_each_request_by_itself():
    model = Model()
    taken = latencies(model, IMAGES, clients=3, seconds=0.2)
    assert {len(batch) for batch in model.batches} == {1}
    assert model.together == 3
    assert len(taken) == len(model.batches) >= 3
    assert taken.min() >= 0.01


def test_requests_that_are_close_run_as_one_batch():
    model = Model()
    taken = batched_latencies(model, IMAGES, clients=6, seconds=0.2, **BATCHING)
    assert max(map(len, model.batches)) == 4, "of six that ask at once"
    assert model.together == 1, "one thread runs batches"
    assert len(taken) == sum(map(len, model.batches)), "nothing is lost, and nothing asked twice"


def test_one_alone_waits_for_others_no_longer_than_it_may():
    taken = batched_latencies(Model(), IMAGES, clients=1, seconds=0.2, **BATCHING)
    assert taken.min() >= 0.03, "20 ms for others and 10 for the model"


def test_more_threads_run_more_batches_at_once():
    model = Model()
    batching = {**BATCHING, "max_batch_size": 2, "num_batch_threads": 2}
    batched_latencies(model, IMAGES, clients=4, seconds=0.2, **batching)
    assert model.together == 2


@pytest.mark.parametrize("batching", [{}, BATCHING])
def test_an_error_of_the_model_ends_all(batching):
    def fails(images):
        raise ValueError("no such image")

    ask = batched_latencies if batching else latencies
    with pytest.raises(ValueError, match="no such image"):
        ask(fails, IMAGES, clients=2, seconds=60, **batching)
