"""Functions of tensors on whichever backend of Keras runs: compiled, with gradients, and waited for."""

import keras

from benchmarks.timing import this_machine
from lambda_keras.layers.devices import runs_on_cpu

BACKEND = keras.backend.backend()


def is_accelerated():
    """Whether a GPU or TPU runs what is measured."""
    return not runs_on_cpu()


def device_name():
    """What the backend calls its first device."""
    if BACKEND == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    if BACKEND == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    first = min(tf.config.list_physical_devices(), key=lambda device: device.device_type == "CPU")
    return tf.config.experimental.get_device_details(first).get("device_name", first.device_type)


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
    """Returns when the device has computed the tensors."""
    if BACKEND == "jax":
        import jax

        jax.block_until_ready(tensors)
    elif BACKEND == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
    else:
        for tensor in keras.tree.flatten(tensors):
            tensor.numpy()
