"""Clients that ask a model at the same time, each for one image after the other, with and without batches of requests.

It needs the standard library and NumPy alone: `run_artifact.py` loads it by its path in a process without this project.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

Serve = Callable[[np.ndarray], np.ndarray]


def latencies(serve: Serve, images: np.ndarray, clients: int, seconds: float) -> np.ndarray:
    """Has clients ask for so long, each request by itself.

    Args:
        serve: Function of images [batch, height, width, channels] that several threads may call.
        images: Some to ask about.
        clients: How many ask at the same time; each waits for its answer before it asks again.
        seconds: For how long.

    Returns:
        float64 [requests], the seconds that each request took.
    """
    return _ask(lambda image: serve(image[np.newaxis])[0], images, clients, seconds)


def batched_latencies(
    serve: Serve,
    images: np.ndarray,
    clients: int,
    seconds: float,
    max_batch_size: int,
    batch_timeout_micros: int,
    num_batch_threads: int,
) -> np.ndarray:
    """The same where requests that are close in time run as one batch, as TensorFlow Serving's scheduler has it.

    Args:
        serve: As for `latencies`.
        images: As for `latencies`.
        clients: As for `latencies`.
        seconds: As for `latencies`.
        max_batch_size: Images in a batch, at most.
        batch_timeout_micros: How long the first image of a batch waits for others, in microseconds.
        num_batch_threads: Batches at the same time.
    """
    waiting: queue.Queue = queue.Queue()
    threads = [
        threading.Thread(target=_run_batches, args=(serve, waiting, max_batch_size, batch_timeout_micros / 1e6))
        for _ in range(num_batch_threads)
    ]
    for thread in threads:
        thread.start()

    def ask(image):
        answer: Future = Future()
        waiting.put((time.perf_counter(), image, answer))
        return answer.result()

    try:
        return _ask(ask, images, clients, seconds)
    finally:
        for _ in threads:
            waiting.put(None)
        for thread in threads:
            thread.join()


def _run_batches(serve, waiting, most, timeout):
    """Takes requests from the queue, a batch at a time, until there is a `None`."""
    while (first := waiting.get()) is not None:
        batch = [first]
        while len(batch) < most:
            left = first[0] + timeout - time.perf_counter()
            try:
                # What waits already is taken without waiting.
                request = waiting.get(timeout=left) if left > 0 else waiting.get_nowait()
            except queue.Empty:
                break
            if request is None:
                # For another thread; this one ends with the next.
                waiting.put(None)
                break
            batch.append(request)
        _answer(serve, batch)


def _answer(serve, batch):
    try:
        results = serve(np.stack([image for _, image, _ in batch]))
    except Exception as error:
        for _, _, answer in batch:
            answer.set_exception(error)
        return
    for (_, _, answer), result in zip(batch, results, strict=True):
        answer.set_result(result)


def _ask(ask, images, clients, seconds):
    end = time.perf_counter() + seconds
    taken: list[list[float]] = [[] for _ in range(clients)]
    errors: list[BaseException] = []

    def client(number):
        try:
            position = number
            while not errors and time.perf_counter() < end:
                begin = time.perf_counter()
                ask(images[position % len(images)])
                taken[number].append(time.perf_counter() - begin)
                position += clients
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return np.concatenate(taken)
