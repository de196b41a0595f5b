"""AxialSelfAttention: self-attention along one axis of the grid after the other, a baseline of the paper."""

import math
import operator
import typing

import keras
from keras import ops

from lambda_keras.keras_internals import sublayers
from lambda_keras.layers.argument_checks import check_counts, check_filters, check_shapes
from lambda_keras.layers.attention import GlobalSelfAttention
from lambda_keras.layers.initialization import Initializer
from lambda_keras.layers.interaction import Shape
from lambda_keras.layers.quantized import layer_from_config, policies_of
from lambda_keras.layers.relative_position import check_scope_size


@keras.saving.register_keras_serializable(package="lambda_keras")
class AxialSelfAttention(keras.layers.Layer):
    """Self-attention along the columns of a map, then along its rows, a baseline of the paper.

    Each is a `GlobalSelfAttention` of one axis, with projections and a position table of its own: together they reach
    every position, with weights of height + width instead of height · width positions for each query (Ho et al.,
    https://arxiv.org/abs/1912.12180; Wang et al., https://arxiv.org/abs/2003.07853; LambdaNetworks, table of
    alternatives, https://arxiv.org/abs/2102.08602).

    Args:
        filters: As in `GlobalSelfAttention`.
        num_heads: As in `GlobalSelfAttention`.
        key_dim: As in `GlobalSelfAttention`.
        scope_size: Offsets along an axis within which positions interact, odd; or one number for each axis; or `None`
            for all. Content interacts along the whole axis.
        kernel_initializer: As in `GlobalSelfAttention`.
        kernel_regularizer: As in `GlobalSelfAttention`.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `[batch, length, channels]`, `[batch, height, width, channels]` or a higher rank. The batch may be
            unknown, the grid not.
        context: `None`: a query sees its own column and row, which another map does not have.
        mask: `None`, for the same reason.
        training: Changes nothing.

    Returns:
        `[batch, *grid, filters]` in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit; the message says which, and what is allowed.

    Example:
        >>> x = keras.Input((56, 56, 64))
        >>> lk.layers.AxialSelfAttention(num_heads=8)(x).shape
        (None, 56, 56, 64)
    """

    def __init__(
        self,
        filters: int | None = None,
        num_heads: int = 8,
        key_dim: int | None = None,
        scope_size: int | tuple[int, ...] | None = None,
        kernel_initializer: Initializer = None,
        kernel_regularizer: typing.Any = None,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(**kwargs)
        check_filters(filters, *check_counts(num_heads=num_heads))
        self.filters = None if filters is None else operator.index(filters)
        self.num_heads = int(num_heads)
        self.key_dim = None if key_dim is None else check_counts(key_dim=key_dim)[0]
        self.scope_size = check_scope_size(scope_size)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self._quantized: dict[str, typing.Any] = {}

    def build(self, inputs_shape: Shape) -> None:
        """Makes an attention for each axis of `[batch, *grid, channels]`."""
        check_shapes(self.name, inputs_shape, inputs_shape, True)
        rank = len(inputs_shape) - 2
        self.scope_size = check_scope_size(self.scope_size, rank)
        scopes = self.scope_size if isinstance(self.scope_size, tuple) else (self.scope_size,) * rank
        self.attentions = []
        channels = inputs_shape[-1]
        for number, (side, scope) in enumerate(zip(inputs_shape[1:-1], scopes, strict=True), 1):
            attention = GlobalSelfAttention(
                filters=self.filters,
                num_heads=self.num_heads,
                key_dim=self.key_dim,
                scope_size=scope,
                kernel_initializer=self.kernel_initializer,
                kernel_regularizer=self.kernel_regularizer,
                dtype=self.dtype_policy,
                name=f"axis{number}",
            )
            attention._quantized = self._quantized
            attention.build((None, side, channels))
            self.attentions.append(attention)
            channels = self.filters or channels
        self.built = True

    def call(
        self, inputs: typing.Any, context: typing.Any = None, mask: typing.Any = None, training: bool | None = None
    ) -> typing.Any:
        """Returns the layer's output; see the class."""
        self._check_call(inputs, context, mask)
        x = inputs
        for axis, attention in enumerate(self.attentions, 1):
            # The axis behind all others, which become examples.
            others = [other for other in range(1, len(inputs.shape) - 1) if other != axis]
            order = (0, *others, axis, len(inputs.shape) - 1)
            moved = ops.transpose(x, order)
            y = attention(ops.reshape(moved, (-1, *moved.shape[-2:])))
            y = ops.reshape(y, (-1, *moved.shape[1:-1], y.shape[-1]))
            x = ops.transpose(y, [order.index(place) for place in range(len(order))])
        return x

    def compute_output_spec(
        self, inputs: typing.Any, context: typing.Any = None, mask: typing.Any = None, training: bool | None = None
    ) -> typing.Any:
        """Checks what `call` checks, so that a functional model fails where it is made."""
        self._check_call(inputs, context, mask)
        return super().compute_output_spec(inputs, training=training)

    def _check_call(self, inputs, context, mask):
        if context is not None or mask is not None:
            raise ValueError(
                f"{self.name} attends along the columns and rows of its inputs and takes neither a context nor a mask. "
                "Use GlobalSelfAttention."
            )
        check_shapes(self.name, inputs.shape, inputs.shape, True)

    def compute_mask(self, inputs: typing.Any, previous_mask: typing.Any) -> None:
        """Nothing: what is padding along one axis is none along another."""
        return None

    def multiply_adds(self, inputs_shape: tuple[int, ...]) -> int:
        """Multiply-adds for one example: those of each attention, for all sequences along its axis."""
        count, channels = 0, inputs_shape[-1]
        positions = math.prod(inputs_shape[1:-1])
        for side, attention in zip(inputs_shape[1:-1], self.attentions, strict=True):
            count += positions // side * attention.multiply_adds((1, side, channels))
            channels = self.filters or channels
        return count

    def compute_output_shape(self, inputs_shape: Shape) -> Shape:
        """`(batch, *grid, filters)`."""
        return (*inputs_shape[:-1], self.filters or inputs_shape[-1])

    def get_config(self) -> dict[str, typing.Any]:
        """Every argument of the constructor."""
        config = {
            "filters": self.filters,
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "scope_size": self.scope_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
        return {**super().get_config(), **config, **policies_of(sublayers(self))}

    @classmethod
    def from_config(cls, config: dict[str, typing.Any]) -> "AxialSelfAttention":
        """Makes the layer that `get_config` describes."""
        return layer_from_config(cls, dict(config))
