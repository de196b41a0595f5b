"""`--strategy`: the devices that a training runs on, as a `tf.distribute` strategy.

| name | devices | how gradients meet |
|---|---|---|
| `default` | one: the first GPU, or the CPU | they need not |
| `mirrored` | all GPUs of this machine (without GPUs: its logical CPU devices) | all-reduce in the process |
| `multi_worker` | all GPUs, or the CPU, of several machines that run the same command | all-reduce over the network |
| `tpu` | all cores of a TPU or a slice of a pod | the TPU's own network |

Every replica holds all weights and processes an equal share of each batch, so a recipe means the same under all of
them: its `batch_size` is that of all replicas together.
"""

import functools
import json
import os

import tensorflow as tf

from lambda_keras.zoo.errors import UserError

NAMES = ("default", "mirrored", "multi_worker", "tpu")
EXAMPLE = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'


def create(name: str, tpu: str | None = None) -> tf.distribute.Strategy:
    """Makes the strategy of a name; call it before anything else of TensorFlow.

    Args:
        name: One of `NAMES`.
        tpu: For `tpu`: the TPU's name or address, or `local` on a TPU VM.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        UserError: The name is unknown, or the machine, `TF_CONFIG` or the TPU do not fit it.

    Example:
        >>> create("default").num_replicas_in_sync
        1
    """
    if name not in NAMES:
        raise UserError(f"unknown strategy {name!r} (known: {', '.join(NAMES)})")
    if (tpu is None) == (name == "tpu"):
        raise UserError(f"--tpu NAME (or --tpu local) belongs to --strategy tpu; got strategy {name} and TPU {tpu}")
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        return _multi_worker()
    if name == "tpu":
        return _tpu(tpu)
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes the run folder: the only one, or worker 0.

    Args:
        strategy: From `create`.
    """
    resolver = strategy.cluster_resolver
    return not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or resolver.task_id in (0, None)


def wait_for_workers(strategy: tf.distribute.Strategy) -> None:
    """Returns once all workers of the strategy have called it.

    Args:
        strategy: From `create`.
    """
    _mean_over_workers(strategy, 0)


def workers_agree(strategy: tf.distribute.Strategy, number: float) -> bool:
    """Whether all workers of the strategy call it with the same number; they wait for each other.

    Args:
        strategy: From `create`.
        number: This worker's.

    Example:
        >>> workers_agree(create("default"), 3)
        True
    """
    return _mean_over_workers(strategy, number) == number


def _mean_over_workers(strategy, number):
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return number
    return float(_mean_function(strategy)(tf.constant(number, tf.float64)))


# Traced once: an epoch ends with it.
@functools.lru_cache(maxsize=1)
def _mean_function(strategy):
    @tf.function
    def mean(number):
        return strategy.reduce("MEAN", strategy.run(tf.identity, (number,)), axis=None)

    return mean


def _multi_worker():
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise UserError(f"--strategy multi_worker needs TF_CONFIG in the environment, such as {EXAMPLE}")
    try:
        config = json.loads(text)
        workers, index = config["cluster"]["worker"], config["task"]["index"]
        fits = config["task"]["type"] == "worker" and set(config["cluster"]) == {"worker"} and 0 <= index < len(workers)
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise UserError(f"TF_CONFIG must list workers and name one of them as the task, such as {EXAMPLE}; got {text}")
    # NCCL where there are GPUs; on CPUs the ring is the only all-reduce.
    gpus = tf.config.list_physical_devices("GPU")
    collectives = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=collectives.AUTO if gpus else collectives.RING
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except tf.errors.OpError as error:
        raise UserError(
            f"worker {index} cannot serve at {workers[index]}, its address in TF_CONFIG: {error.message}; give a free "
            "port of this machine"
        ) from error


def _tpu(name):
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        raise UserError(f"cannot use TPU {name!r}: {str(error).splitlines()[0]}") from error
    return tf.distribute.TPUStrategy(resolver)
