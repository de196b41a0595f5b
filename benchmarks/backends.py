"""Functions of tensors on whichever backend of Keras runs: compiled, with gradients, and waited for."""

import keras

from benchmarks.timing import this_machine
from lambda_keras.layers.devices import runs_on_cpu

BACKEND = keras.backend.backend()


def is_accelerated():
    """Whether a GPU or TPU runs what is measured."""
    return not runs_on_cpu()


def device_kind():
    """`"cpu"`, `"gpu"` or `"tpu"`: what runs what is measured."""
    if not is_accelerated():
        return "cpu"
    # Keras lists no devices for torch, which runs on GPUs.
    is_tpu = BACKEND != "torch" and keras.distribution.list_devices()[0].startswith("tpu")
    return "tpu" if is_tpu else "gpu"


def device_name():
    """What the maker calls the first device."""
    if not is_accelerated():
        return "CPU"
    if BACKEND == "torch":
        import torch

        return torch.cuda.get_device_name()
    if BACKEND == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    first = next(device for device in tf.config.list_physical_devices() if device.device_type != "CPU")
    return tf.config.experimental.get_device_details(first).get("device_name", first.name)


def device():
    """What the column `device` of a CSV file says: the accelerator, if there is one, the CPU, and the backend.

    TensorFlow on a CPU, under which most is measured, is not named.
    """
    if not is_accelerated():
        return this_machine() if BACKEND == "tensorflow" else f"{this_machine()}, {BACKEND}"
    return f"{device_name()}, {this_machine()}, {BACKEND}"


def forward(function):
    """The function compiled where the backend compiles: `tf.function` without XLA, `jax.jit`, torch eager."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)

    def run(*tensors):
        import torch

        with torch.no_grad():
            return function(*tensors)

    return run


def forward_and_backward(function):
    """A function that returns the gradients of the sum of its outputs for each of its arguments."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def gradients(*tensors):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                outputs = function(*tensors)
            return tape.gradient(outputs, tensors)

        return tf.function(gradients, autograph=False)
    if BACKEND == "jax":
        import jax

        def total(tensors):
            return function(*tensors).sum()

        return jax.jit(lambda *tensors: jax.grad(total)(tensors))

    def run(*tensors):
        import torch

        leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        return torch.autograd.grad(function(*leaves).sum(), leaves)

    return run


def wait(tensors):
    """Returns the tensors when the device has computed them."""
    if BACKEND == "jax":
        import jax

        jax.block_until_ready(tensors)
    elif BACKEND == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
    elif is_accelerated():
        import tensorflow as tf

        # To copy all of them to the host would take longer than most of what is timed.
        tf.test.experimental.sync_devices()
    else:
        for tensor in keras.tree.flatten(tensors):
            tensor.numpy()
    return tensors
