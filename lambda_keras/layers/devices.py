"""Which kind of device runs a layer, for its plan."""

import functools
import pathlib

import keras

from lambda_keras.layers.contraction_plan import (
    ON_ACCELERATORS,
    ON_AVX2,
    ON_AVX512,
    XLA_ON_AVX2,
    XLA_ON_AVX512,
    Device,
)


def runs_on_cpu() -> bool:
    """Whether the backend has no other device than the CPU."""
    if keras.backend.backend() == "torch":
        # Keras lists no devices for torch.
        import torch

        return not torch.cuda.is_available()
    return all(device.startswith("cpu") for device in keras.distribution.list_devices())


@functools.cache
def has_avx512() -> bool:
    """Whether the CPU has AVX-512, as Linux says it; elsewhere `False`."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return "avx512f" in flags.split()


def current_device() -> Device:
    """The `Device` of `lambda_keras.layers.contraction_plan` that stands for what runs here."""
    if not runs_on_cpu():
        return ON_ACCELERATORS
    is_compiled = keras.backend.backend() == "jax"
    on_avx2, on_avx512 = (XLA_ON_AVX2, XLA_ON_AVX512) if is_compiled else (ON_AVX2, ON_AVX512)
    return on_avx512 if has_avx512() else on_avx2
