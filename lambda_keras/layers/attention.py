"""GlobalSelfAttention, a baseline of the paper that is called as LambdaLayer is, and what kinds of attention share."""

import math
import typing

import keras
from keras import ops

from lambda_keras.layers.argument_checks import check_counts, check_filters, check_shapes, check_shared
from lambda_keras.layers.contraction import position_scores
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.initialization import Initializer
from lambda_keras.layers.interaction import Interaction, Shape
from lambda_keras.layers.masks import Masks, intersection
from lambda_keras.layers.relative_position import (
    RelativePositionEmbedding,
    check_scope_size,
    expand_columns,
    expand_rows,
    fit_table,
)

# A logit whose exponential is zero in every dtype, without the infinities of which a row of them makes no number.
_UNSEEN = -1e30


class SelfAttention(Interaction):
    """What global and local attention share: projections, the position table, the call. `_attend` is theirs.

    Arguments and call are those of `GlobalSelfAttention`.
    """

    def __init__(
        self,
        filters: int | None = None,
        num_heads: int = 8,
        key_dim: int | None = None,
        scope_size: int | tuple[int, ...] | None = None,
        position_embedding: RelativePositionEmbedding | None = None,
        kernel_initializer: Initializer = None,
        kernel_regularizer: typing.Any = None,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(
            filters, num_heads, scope_size, position_embedding, kernel_initializer, kernel_regularizer, **kwargs
        )
        self.key_dim = None if key_dim is None else check_counts(key_dim=key_dim)[0]

    def build(self, inputs_shape: Shape, context_shape: Shape | None = None) -> None:
        """Makes the projections and the position table for these shapes.

        Letters: b batch, n query positions, m context positions, h heads, k key depth, v value depth.

            queries             [b, n, h, k]    n positions of the inputs
            keys                [b, m, h, k]    m positions of the context
            values              [b, m, h, v]
            position table R    [*scope, k, 1]  of all heads
            outputs             [b, n, h, v]    filters = h·v
        """
        context_shape = context_shape or inputs_shape
        self._check_shapes(inputs_shape, context_shape)
        self.scope_size = check_scope_size(self.scope_size, len(inputs_shape) - 2)
        query_channels, context_channels = inputs_shape[-1], context_shape[-1]
        filters = self.filters or typing.cast(int, query_channels)
        check_filters(filters, self.num_heads)
        self.value_dim = filters // self.num_heads
        key_dim = self.key_dim or self.value_dim
        width = self.num_heads * key_dim
        self.query_projection = self._projection("query_projection", width, query_channels)
        self.key_projection = self._projection("key_projection", width, context_channels)
        self.value_projection = self._projection("value_projection", filters, context_channels)
        if self._shares_position_embedding:
            check_shared(self.position_embedding, True, key_dim, 1)
        # Logits of an offset as large as those of a key.
        initializer = keras.initializers.RandomNormal(stddev=key_dim**-0.5)
        self._build_position_embedding(inputs_shape, context_shape, key_dim, initializer=initializer)
        self.built = True

    def call(
        self,
        inputs: typing.Any,
        context: typing.Any = None,
        mask: typing.Any = None,
        training: bool | None = None,
        context_mask: typing.Any = None,
    ) -> typing.Any:
        """Returns the layer's output; see the class."""
        context = inputs if context is None else context
        masks = self._check_call(inputs, context, mask, context_mask)
        grids = Grids.of_shapes(inputs.shape, context.shape)
        self.position_embedding.check_grids(grids)
        seen = intersection(masks.seen_pairs(grids), masks.seen_context())
        queries = self._heads(self.query_projection(inputs))
        keys, values = self._heads(self.key_projection(context)), self._heads(self.value_projection(context))
        table = ops.cast(self.position_embedding.table, queries.dtype)
        outputs = self._attend(queries * queries.shape[-1] ** -0.5, keys, values, table, grids, seen)
        outputs = ops.reshape(outputs, (-1, *grids.queries, self.num_heads * self.value_dim))
        return ops.cast(outputs, self.compute_dtype)

    def _heads(self, x):
        """`[batch, *grid, heads * depth]` as `[batch, positions, heads, depth]`."""
        # Sums over depth and positions pass float16's range long before they pass bfloat16's.
        x = ops.cast(x, "float32") if self.compute_dtype == "float16" else x
        return ops.reshape(x, (-1, math.prod(x.shape[1:-1]), self.num_heads, x.shape[-1] // self.num_heads))

    def _attend(self, queries, keys, values, table, grids, seen):
        """The outputs `[b, n, h, v]` of queries that are scaled already.

        What they see is boolean `[b or 1, n or 1, m]` or `None`.
        """
        raise NotImplementedError

    def _pairs(self, grids):
        """How many pairs of a query and a context position there are."""
        raise NotImplementedError

    def multiply_adds(self, inputs_shape: tuple[int, ...], context_shape: tuple[int, ...] | None = None) -> int:
        """Multiply-adds for one example: projections; keys, positions and values for each pair that interacts."""
        grids = Grids.of_shapes(inputs_shape, context_shape)
        (n, m), filters = grids.positions, self.num_heads * self.value_dim
        width = self.query_projection.units
        projections = n * inputs_shape[-1] * width + m * (context_shape or inputs_shape)[-1] * (width + filters)
        return projections + self._pairs(grids) * (2 * width + filters)

    def _check_shapes(self, inputs_shape, context_shape):
        check_shapes(self.name, inputs_shape, context_shape, True)
        grids = Grids.of_shapes(inputs_shape, context_shape)
        if not grids.known:
            raise ValueError(
                f"{self.name} needs inputs of known size: give the images a size. A LambdaLayer of a local scope takes "
                f"any. Received: query grid {grids.queries}, context grid {grids.context}"
            )

    def _check_call(self, inputs, context, mask, context_mask):
        self._check_shapes(inputs.shape, context.shape)
        return Masks.of_call(self.name, inputs, context, mask, context_mask)

    def get_config(self) -> dict[str, typing.Any]:
        """Every argument of the constructor."""
        return {**super().get_config(), "key_dim": self.key_dim}


@keras.saving.register_keras_serializable(package="lambda_keras")
class GlobalSelfAttention(SelfAttention):
    """Multi-head self-attention over all positions with relative position embeddings, a baseline of the paper.

    Each head has keys and values of its own; the embeddings are those of the lambda layer, shared by the heads
    (LambdaNetworks, section 3 and table of alternatives, https://arxiv.org/abs/2102.08602; the attention is that of
    Shaw et al., https://arxiv.org/abs/1803.02155, and of Ramachandran et al., https://arxiv.org/abs/1906.05909):

        Q = X W_Q,  K = C W_K,  V = C W_V
        a[n, m, h] = softmax over m of Q[n, h] · (K[m, h] + E[n, m]) / √k        (content + position)
        y[n, h] = sum over m of a[n, m, h] V[m, h]

    Time and memory grow with the square of the number of positions: `[batch, heads, n, m]` weights are kept.

    Args:
        filters: Channels of the output, a multiple of `num_heads`. By default those of the input.
        num_heads: Heads h; value depth is `filters / num_heads`.
        key_dim: Key and query depth k of a head. By default the value depth.
        scope_size: As in `LambdaLayer`: side of the scope within which positions interact, `None` for all offsets of
            the inputs' grid. Content interacts everywhere.
        position_embedding: A `RelativePositionEmbedding` to share with other layers of the same resolution; its scope
            then replaces `scope_size`. By default the layer makes one of its own when it is built.
        kernel_initializer: Initialiser of the projections, by name, configuration or object. By default normal, of
            variance 1 / channels.
        kernel_regularizer: Regulariser of the kernels of the projections, by name, configuration or object.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`. Softmax runs in float32 under every
            policy, all of the attention under float16.

    Call arguments:
        inputs: `[batch, length, channels]`, `[batch, height, width, channels]` or a higher rank. The batch may be
            unknown, the grid not.
        context: What is attended to, `[batch, *context_grid, context_channels]`; the inputs by default.
        mask: As in `LambdaLayer`: boolean or 0/1 `[n, m]` or `[batch, n, m]`, or n and m as their grids. A query that
            sees nothing returns zeros.
        training: Changes nothing.
        context_mask: As in `LambdaLayer`: which positions of the context are no padding, `[batch, *context_grid]`.

    Returns:
        `[batch, *grid, filters]` in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit; the message says which, and what is allowed.

    Example:
        >>> x = keras.Input((14, 14, 256))
        >>> lk.layers.GlobalSelfAttention(num_heads=8, key_dim=16)(x).shape
        (None, 14, 14, 256)
    """

    def _attend(self, queries, keys, values, table, grids, seen):
        rows = grids.queries[0]
        embeddings = expand_rows(expand_columns(fit_table(table, grids), grids), rows - 1, rows, grids.context[0])
        logits = ops.matmul(ops.transpose(queries, (0, 2, 1, 3)), ops.transpose(keys, (0, 2, 3, 1)))
        of_positions = position_scores(queries, embeddings, math.prod(grids.queries[1:]))
        seen = None if seen is None else seen[:, None]
        weights = softmax_of_seen(logits + ops.transpose(of_positions, (0, 2, 1, 3)), seen)
        return ops.transpose(ops.matmul(weights, ops.transpose(values, (0, 2, 1, 3))), (0, 2, 1, 3))

    def _pairs(self, grids):
        return math.prod(grids.positions)


def softmax_of_seen(logits: typing.Any, seen: typing.Any) -> typing.Any:
    """Softmax over the last axis, in float32 at least, of what is seen; zeros where nothing is.

    Args:
        logits: `[..., m]`.
        seen: Boolean, of a shape that is broadcast to that of the logits; `None` where all is seen.

    Returns:
        Weights in the shape and the dtype of the logits.
    """
    precise = ops.cast(logits, keras.backend.result_type(logits.dtype, "float32"))
    if seen is None:
        return ops.cast(ops.softmax(precise, axis=-1), logits.dtype)
    weights = ops.softmax(ops.where(seen, precise, _UNSEEN), axis=-1)
    return ops.cast(ops.where(seen, weights, 0), logits.dtype)
