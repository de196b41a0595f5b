"""How a server makes batches of requests; `lambda-export benchmark` does the same to see what it brings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Batching:
    """TensorFlow Serving's parameters, as `batching.config` has them.

    https://github.com/tensorflow/serving/blob/master/tensorflow_serving/batching/README.md says what to try.

    Attributes:
        max_batch_size: Images in a batch, at most.
        batch_timeout_micros: How long an image waits for others, in microseconds.
        num_batch_threads: Batches at the same time.
        max_enqueued_batches: How many may wait before requests are refused.
    """

    max_batch_size: int = 16
    batch_timeout_micros: int = 2000
    num_batch_threads: int = 2
    max_enqueued_batches: int = 100
