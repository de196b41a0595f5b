"""What LambdaLayer refuses, and what it says then."""

import numbers
import typing
from collections.abc import Sequence

from lambda_keras.layers.contraction_plan import ORDERS
from lambda_keras.layers.relative_position import RelativePositionEmbedding

KEY_NORMALIZATIONS = ("softmax", "l2", "none")


def check_counts(**counts: typing.Any) -> tuple[int, ...]:
    """Returns arguments as Python's integers, which NumPy's become; a ValueError if one is none of at least 1."""
    for name, value in counts.items():
        if not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={value!r}")
    return tuple(int(value) for value in counts.values())


def check_choices(key_normalization: typing.Any, implementation: typing.Any) -> None:
    """Raises a ValueError if a normalisation of the keys or an order of contraction is unknown."""
    if key_normalization not in KEY_NORMALIZATIONS:
        raise ValueError(
            f"`key_normalization` must be one of {KEY_NORMALIZATIONS}. Received: "
            f"key_normalization={key_normalization!r}"
        )
    if implementation not in ("auto", *ORDERS):
        raise ValueError(
            f"`implementation` must be one of {('auto', *ORDERS)}. Received: implementation={implementation!r}"
        )


def check_parts(use_content: bool, use_position: bool, use_position_bias: bool) -> None:
    """Raises a ValueError if the lambdas would have no part, or a bias of positions without positions."""
    if not (use_content or use_position):
        raise ValueError("`use_content` and `use_position` cannot both be False. Received: False, False")
    if use_position_bias and not use_position:
        raise ValueError("`use_position_bias` needs `use_position=True`. Received: use_position=False")


def check_shared(embedding: RelativePositionEmbedding, use_position: bool, key_dim: int, intra_depth: int) -> None:
    """Raises a ValueError if a layer cannot use the position embedding that it is to share."""
    if not use_position:
        raise ValueError("`position_embedding` needs `use_position=True`. Received: use_position=False")
    theirs = (embedding.key_dim, embedding.intra_depth)
    if theirs != (key_dim, intra_depth):
        raise ValueError(
            "`position_embedding` must have the layer's key_dim and intra_depth. Received: "
            f"key_dim={theirs[0]}, intra_depth={theirs[1]}; the layer has {key_dim} and {intra_depth}"
        )


def check_filters(filters: int | None, num_heads: int) -> None:
    """Raises a ValueError if the channels of the output cannot be dealt out to the heads."""
    if filters is not None and (filters < 1 or filters % num_heads):
        raise ValueError(
            "`filters` (by default the channels of the input) must be a positive multiple of `num_heads`. "
            f"Received: filters={filters}, num_heads={num_heads}"
        )


def check_order(name: str, implementation: str, inputs_shape: Sequence[int | None]) -> None:
    """Raises a ValueError if inputs have more axes than the order of contraction of the layer `name` takes."""
    most = {"convolution": 3, "depthwise_convolution": 2}.get(implementation, len(inputs_shape))
    if len(inputs_shape) - 2 > most:
        raise ValueError(
            f"{name} has implementation={implementation!r}, which takes up to {most} axes between batch and channels; "
            f"'auto', 'query_first' and 'lambda_first' take any. Received: inputs.shape={tuple(inputs_shape)}"
        )


def check_shapes(
    name: str, inputs_shape: Sequence[int | None], context_shape: Sequence[int | None], use_position: bool
) -> None:
    """Raises a ValueError if inputs and context are not of a rank that the layer `name` takes, or are of no example."""
    for argument, shape in (("inputs", inputs_shape), ("context", context_shape)):
        if len(shape) < 3 or shape[-1] is None:
            raise ValueError(
                f"{name} needs {argument} of shape [batch, length, channels], [batch, height, width, channels] "
                f"or a higher rank, with known channels. Received: {argument}.shape={tuple(shape)}"
            )
        if shape[0] == 0:
            raise ValueError(f"{name} needs at least one example. Received: {argument}.shape={tuple(shape)}")
    if use_position and len(inputs_shape) != len(context_shape):
        raise ValueError(
            f"{name} needs a context of the inputs' rank for relative positions; use_position=False takes "
            f"any. Received: inputs.shape={tuple(inputs_shape)}, context.shape={tuple(context_shape)}"
        )
