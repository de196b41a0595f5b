"""Dense layers inside a layer that `model.quantize` has changed: what a configuration says of them."""

import typing
from collections.abc import Iterable

import keras

# In the configuration of a layer some of whose dense layers are quantised, and in no other.
POLICIES = "quantized"


def policies_of(layers: Iterable[keras.Layer]) -> dict[str, typing.Any]:
    """An entry for a configuration: the dtype policies of those layers that are quantised, by their names.

    Args:
        layers: The layers inside a layer.

    Returns:
        A dict with one key, or none where no layer is quantised: files of all others stay as they are.
    """
    policies = {
        layer.name: keras.dtype_policies.serialize(layer.dtype_policy)
        for layer in layers
        if getattr(layer, "quantization_mode", None) is not None
    }
    return {POLICIES: policies} if policies else {}


def take_policies(config: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Removes what `policies_of` wrote from a configuration, and returns the policies by the names of the layers."""
    written = config.pop(POLICIES, {})
    return {name: keras.dtype_policies.deserialize(policy) for name, policy in written.items()}
