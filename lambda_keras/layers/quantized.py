"""Dense layers inside a layer that `model.quantize` has changed: what a configuration says of them."""

import typing
from collections.abc import Iterable

import keras

# In the configuration of a layer some of whose dense layers are quantised, and in no other.
POLICIES = "quantized"

Layer = typing.TypeVar("Layer", bound=keras.Layer)


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


def layer_from_config(cls: type[Layer], config: dict[str, typing.Any]) -> Layer:
    """Makes a layer of a configuration in which `policies_of` may have an entry.

    Args:
        cls: The class, which takes the rest of the configuration.
        config: What its `get_config` returned.

    Returns:
        The layer. `_quantized` has the policies by the names of the layers inside it, for its `build`.
    """
    arguments = {name: value for name, value in config.items() if name != POLICIES}
    layer = cls(**arguments)
    policies = config.get(POLICIES, {})
    layer._quantized = {name: keras.dtype_policies.deserialize(policy) for name, policy in policies.items()}
    return layer
