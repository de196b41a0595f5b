"""LambdaLayer: projections, normalisation and call. The mathematics of contraction is in `contraction`."""

import math
import typing

import keras
from keras import ops

from lambda_keras.keras_internals import padding_mask
from lambda_keras.layers.argument_checks import (
    check_choices,
    check_counts,
    check_filters,
    check_order,
    check_parts,
    check_shapes,
    check_shared,
)
from lambda_keras.layers.batch_normalization import BatchNormalization
from lambda_keras.layers.chunks import Operands
from lambda_keras.layers.contraction import UNSEEN_KEY, contract
from lambda_keras.layers.contraction_plan import ASSUMED_BATCH, Depths, Mask, Plan, Problem, plan
from lambda_keras.layers.devices import current_device
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.initialization import Initializer
from lambda_keras.layers.interaction import Interaction, Shape
from lambda_keras.layers.masks import Masks, intersection, kind_of
from lambda_keras.layers.relative_position import RelativePositionEmbedding, check_scope_size


@keras.saving.register_keras_serializable(package="lambda_keras")
class LambdaLayer(Interaction):
    """The lambda layer of LambdaNetworks. It is not `keras.layers.Lambda`, which wraps a Python function.

    The layer turns a context into a linear function (a lambda) for each query and applies it to the query. It
    models long-range interactions of content and position without attention maps
    (Bello, ICLR 2021, https://arxiv.org/abs/2102.08602, section 3):

        Q = X W_Q,  K = softmax over positions of C W_K,  V = C W_V         (batch normalisation on Q and V)
        lambda[n] = sum over m of (K[m] + E[n, m]) V[m]^T                   (content + position)
        y[n, h] = lambda[n]^T Q[n, h]                                       (h heads share the lambda)

    Args:
        filters: Channels of the output, a multiple of `num_heads`. By default those of the input.
        num_heads: Queries h that share each lambda; value depth is `filters / num_heads`.
        key_dim: Key and query depth k.
        intra_depth: Intra-depth u: keys and values for each context position.
        scope_size: Side r of the scope within which positions interact, odd; or one side for each axis of
            the grid; or `None` for a global scope, which fixes the size of the inputs. Content interactions
            are global in any case.
        use_content: Whether the lambdas have a content part.
        use_position: Whether the lambdas have a position part.
        use_position_bias: Whether each position lambda gets a learned bias `[key_dim]`, the same for all positions
            and values. The paper has none; the published checkpoints of timm do.
        key_normalization: `"softmax"`, `"l2"` or `"none"`, over the context positions.
        query_softmax: Whether queries are soft-maxed over the key depth (an ablation of the paper).
        use_batch_norm: Whether queries and values are batch-normalised.
        batch_norm_momentum: Momentum of their moving statistics.
        batch_norm_epsilon: Added to their variances.
        position_embedding: A `RelativePositionEmbedding` to share with other layers of the same resolution;
            its scope then replaces `scope_size`. By default the layer makes one of its own when it is built.
        implementation: `"auto"`, or an order of contraction: `"lambda_first"`, `"query_first"`,
            `"convolution"` or `"depthwise_convolution"`. All give the same numbers;
            `lambda_keras.layers.contraction_plan` says how `"auto"` picks.
        kernel_initializer: Initialiser of the projections, by name, configuration or object. By default the paper's:
            normal, of variance 1 / (channels · key_dim) for queries and 1 / channels for keys and values.
        kernel_regularizer: Regulariser of the kernels of the projections, by name, configuration or object.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`. Under a float16 policy the
            contraction runs in float32, since its sums pass float16's range; under bfloat16 the softmax and
            the sum of the content do.

    Attributes:
        position_embedding: The `RelativePositionEmbedding` in use: the argument of this name, or from `build` on the
            layer's own. `None` without positions.

    Call arguments:
        inputs: `[batch, length, channels]`, `[batch, height, width, channels]` or a higher rank. The batch may
            be unknown, and the grid too where the scope is local.
        context: What the lambdas summarise, `[batch, *context_grid, context_channels]`; the inputs by default.
            Offsets between queries and context count from the first position of each grid.
        mask: Boolean or 0/1 `[n, m]`, or n and m as their grids, `[*grid, *context_grid]`: which context
            positions each query sees, the same in the whole batch; or with a batch axis, `[batch, n, m]`, a mask for
            each example. Keys are normalised within the context that a query sees. A query that sees nothing returns
            zeros.
        training: Whether batch normalisation uses the statistics of the batch.
        context_mask: Boolean or 0/1 `[batch, *context_grid]`: which positions of the context exist, for examples that
            are padded. The others change neither outputs nor statistics. By default the mask that came with the
            context, such as that of `keras.layers.Embedding(mask_zero=True)`.

    Returns:
        `[batch, *grid, filters]` in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit; the message says which, and what is allowed.

    Example:
        >>> x = keras.Input((14, 14, 256))
        >>> y = lk.layers.LambdaLayer(num_heads=4, key_dim=16, scope_size=23)(x)
        >>> y.shape
        (None, 14, 14, 256)
    """

    def __init__(
        self,
        filters: int | None = None,
        num_heads: int = 4,
        key_dim: int = 16,
        intra_depth: int = 1,
        scope_size: int | tuple[int, ...] | None = 23,
        use_content: bool = True,
        use_position: bool = True,
        use_position_bias: bool = False,
        key_normalization: str = "softmax",
        query_softmax: bool = False,
        use_batch_norm: bool = True,
        batch_norm_momentum: float = 0.99,
        batch_norm_epsilon: float = 1e-3,
        position_embedding: RelativePositionEmbedding | None = None,
        implementation: str = "auto",
        kernel_initializer: Initializer = None,
        kernel_regularizer: typing.Any = None,
        **kwargs: typing.Any,
    ) -> None:
        num_heads, key_dim, intra_depth = check_counts(num_heads=num_heads, key_dim=key_dim, intra_depth=intra_depth)
        check_choices(key_normalization, implementation)
        check_parts(use_content, use_position, use_position_bias)
        if position_embedding is not None:
            check_shared(position_embedding, use_position, key_dim, intra_depth)
        super().__init__(
            filters, num_heads, scope_size, position_embedding, kernel_initializer, kernel_regularizer, **kwargs
        )
        self.key_dim = key_dim
        self.intra_depth = intra_depth
        self.use_content = use_content
        self.use_position = use_position
        self.use_position_bias = use_position_bias
        self.key_normalization = key_normalization
        self.query_softmax = query_softmax
        self.use_batch_norm = use_batch_norm
        self.batch_norm_momentum = batch_norm_momentum
        self.batch_norm_epsilon = batch_norm_epsilon
        self.implementation = implementation

    def build(self, inputs_shape: Shape, context_shape: Shape | None = None) -> None:
        """Makes the projections, their normalisation and the position table for these shapes.

        Letters: b batch, n query positions, m context positions, h heads, k key depth, v value depth, u intra-depth.

            queries             [b, n, h, k]    n positions of the inputs
            keys                [b, m, u, k]    m positions of the context
            values              [b, m, u, v]
            position table R    [*scope, k, u]
            outputs             [b, n, h, v]    filters = h·v
        """
        context_shape = context_shape or inputs_shape
        check_shapes(self.name, inputs_shape, context_shape, self.use_position)
        self.scope_size = check_scope_size(self.scope_size, len(inputs_shape) - 2)
        query_channels, context_channels = inputs_shape[-1], context_shape[-1]
        filters = self.filters or typing.cast(int, query_channels)
        check_filters(filters, self.num_heads)
        self.value_dim = filters // self.num_heads

        self._build_projections(query_channels, context_channels)
        if self.use_position:
            self._build_positions(inputs_shape, context_shape)
        if self.use_position_bias:
            self.position_bias = self.add_weight(name="position_bias", shape=(self.key_dim,), initializer="zeros")
        self.built = True

    def _build_projections(self, query_channels, context_channels):
        query_width = self.num_heads * self.key_dim
        deviation = (query_channels * self.key_dim) ** -0.5
        self.query_projection = self._projection("query_projection", query_width, query_channels, deviation)
        if self.use_content:
            key_width = self.intra_depth * self.key_dim
            self.key_projection = self._projection("key_projection", key_width, context_channels)
        value_width = self.intra_depth * self.value_dim
        self.value_projection = self._projection("value_projection", value_width, context_channels)
        if self.use_batch_norm:
            self.query_batch_norm = self._batch_norm("query_batch_norm", query_width)
            self.value_batch_norm = self._batch_norm("value_batch_norm", value_width)

    def _build_positions(self, inputs_shape, context_shape):
        self._build_position_embedding(inputs_shape, context_shape, self.key_dim, self.intra_depth)

    def _batch_norm(self, name, channels):
        layer = BatchNormalization(
            momentum=self.batch_norm_momentum,
            epsilon=self.batch_norm_epsilon,
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, channels))
        return layer

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

        exists = masks.seen_context()
        queries, keys, values = self.queries_keys_values(inputs, context, training, exists)
        pairs, plan = masks.seen_pairs(grids), None
        operands = Operands(queries, values, keys, mask=pairs)
        if self.use_position:
            operands = self._add_positions(operands, grids)
        if self.use_position or pairs is not None:
            plan = self.plan(inputs.shape, context.shape, mask=kind_of(pairs), training=training)
        if grids.known:
            shape = (-1, *grids.queries)
        else:
            shape = ops.shape(inputs)[:-1]
            grids = Grids(ops.shape(inputs)[1:-1], ops.shape(context)[1:-1])
        outputs = contract(operands, grids, plan, self.key_normalization, training)
        if self.use_position_bias:
            outputs = outputs + self.apply_position_bias(queries, intersection(pairs, exists))
        outputs = ops.reshape(outputs, (*shape, self.num_heads * self.value_dim))
        return ops.cast(outputs, self.compute_dtype)

    def queries_keys_values(
        self, inputs: typing.Any, context: typing.Any, training: bool | None = None, exists: typing.Any = None
    ) -> tuple[typing.Any, typing.Any, typing.Any]:
        """What the lambdas are applied to and made of, in the shapes and the dtype that `contraction` takes.

        Args:
            inputs: As in the call.
            context: The context, `inputs` where the call has none.
            training: As in the call.
            exists: `None`, or boolean `[b, m]`, true where a position of the context is no padding.

        Returns:
            Queries `[b, n, h, k]`; keys before their normalisation `[b, m, u, k]`, `None` without content; values
            `[b, m, u, v]`, zero where the context is padding.
        """
        queries, keys, values = self._project(inputs, context, training, exists)
        # Sums over positions pass float16's range long before they pass bfloat16's.
        dtype = "float32" if self.compute_dtype == "float16" else self.compute_dtype
        grids = Grids.of_shapes(inputs.shape, context.shape)
        n = (-1, grids.positions[0]) if grids.known else (ops.shape(inputs)[0], -1)
        m = (-1, grids.positions[1]) if grids.known else (ops.shape(context)[0], -1)
        queries = ops.reshape(ops.cast(queries, dtype), (*n, self.num_heads, self.key_dim))
        if self.query_softmax:
            precision = keras.backend.result_type(dtype, "float32")
            queries = ops.cast(ops.softmax(ops.cast(queries, precision), axis=-1), dtype)
        values = ops.reshape(ops.cast(values, dtype), (*m, self.intra_depth, self.value_dim))
        if self.use_content:
            keys = ops.reshape(ops.cast(keys, dtype), (*m, self.intra_depth, self.key_dim))
        if exists is not None:
            exists = exists[:, :, None, None]
            values = ops.where(exists, values, 0)
            if self.use_content:
                keys = ops.where(exists, keys, UNSEEN_KEY if self.key_normalization == "softmax" else 0)
        return queries, keys, values

    def _project(self, inputs, context, training, exists=None):
        """Queries, keys (`None` without content) and values, `[batch * positions, width]`."""
        # Two axes make each projection one plain matrix product, in exported graphs too.
        flat_inputs = ops.reshape(inputs, (-1, inputs.shape[-1]))
        flat_context = ops.reshape(context, (-1, context.shape[-1]))
        queries = self.query_projection(flat_inputs)
        keys = self.key_projection(flat_context) if self.use_content else None
        values = self.value_projection(flat_context)
        if self.use_batch_norm:
            queries_exist = exists if context is inputs else padding_mask(inputs)
            queries = _normalized(self.query_batch_norm, queries, queries_exist, training)
            values = _normalized(self.value_batch_norm, values, exists, training)
        return queries, keys, values

    def _add_positions(self, operands, grids):
        """The operands, with what `contract` makes the position part of."""
        self.position_embedding.check_grids(grids)
        return operands._replace(table=ops.cast(self.position_embedding.table, operands.queries.dtype))

    def apply_position_bias(self, queries: typing.Any, mask: typing.Any = None) -> typing.Any:
        """Applies the bias of the position lambdas, which all values of a query share.

        Args:
            queries: `[b, n, h, k]`.
            mask: `None`, or boolean `[b or 1, n or 1, m]`, true where a query sees a position.

        Returns:
            `[b, n, h, 1]`.
        """
        product = ops.matmul(queries, ops.cast(self.position_bias, queries.dtype)[:, None])
        if mask is None:
            return product
        # A query that sees nothing has no lambda.
        return product * ops.cast(ops.any(mask, axis=2), product.dtype)[:, :, None, None]

    def plan(
        self,
        inputs_shape: Shape,
        context_shape: Shape | None = None,
        mask: Mask = None,
        training: bool | None = False,
        stores_embeddings: bool = False,
    ) -> Plan:
        """The `Plan` that the layer follows for these shapes.

        Args:
            inputs_shape: `(batch, *grid, channels)`, `None` where unknown.
            context_shape: The same of the context; the inputs' by default.
            mask: `None`; `"shared"`, a mask that all examples share; `"of_examples"`, each example has one of its own.
            training: Whether gradients are taken.
            stores_embeddings: Whether the embeddings E are stored, as `lambda_keras.fuse` does.
        """
        problem = Problem(
            Grids.of_shapes(inputs_shape, context_shape),
            Depths(self.num_heads, self.key_dim, self.value_dim, self.intra_depth),
            self._scope_sides(len(inputs_shape) - 2),
            inputs_shape[0] or ASSUMED_BATCH,
            mask,
        )
        return plan(
            problem,
            training=training,
            stores_embeddings=stores_embeddings,
            implementation=self.implementation,
            device=current_device(),
        )

    def multiply_adds(self, inputs_shape: tuple[int, ...], context_shape: tuple[int, ...] | None = None) -> int:
        """Multiply-adds for one example, in the paper's order (lambda-first), whatever order runs.

        Projections; content lambda m·u·k·v; position lambdas n·m·u·k·v, or n·s·u·k·v for a local scope of s
        positions where that is fewer than the context; application of their sum n·k·filters.
        """
        context_shape = context_shape or inputs_shape
        n, m = math.prod(inputs_shape[1:-1]), math.prod(context_shape[1:-1])
        filters = self.num_heads * self.value_dim
        pairs_of_depths = self.intra_depth * self.key_dim * self.value_dim
        count = n * inputs_shape[-1] * self.num_heads * self.key_dim
        count += m * context_shape[-1] * self.intra_depth * self.value_dim
        if self.use_content:
            count += m * context_shape[-1] * self.intra_depth * self.key_dim + m * pairs_of_depths
        if self.use_position:
            sides = self._scope_sides(len(inputs_shape) - 2)
            count += n * (m if sides is None else min(m, math.prod(sides))) * pairs_of_depths
        return count + n * self.key_dim * filters

    def _check_call(self, inputs, context, mask, context_mask):
        check_shapes(self.name, inputs.shape, context.shape, self.use_position)
        if self.use_position:
            check_order(self.name, self.implementation, inputs.shape)
        return Masks.of_call(self.name, inputs, context, mask, context_mask)

    def get_config(self) -> dict[str, typing.Any]:
        """Every argument of the constructor."""
        config = {
            "key_dim": self.key_dim,
            "intra_depth": self.intra_depth,
            "use_content": self.use_content,
            "use_position": self.use_position,
            "use_position_bias": self.use_position_bias,
            "key_normalization": self.key_normalization,
            "query_softmax": self.query_softmax,
            "use_batch_norm": self.use_batch_norm,
            "batch_norm_momentum": self.batch_norm_momentum,
            "batch_norm_epsilon": self.batch_norm_epsilon,
            "implementation": self.implementation,
        }
        return {**super().get_config(), **config}


def _normalized(batch_norm, projected, exists, training):
    """Projections `[batch * positions, width]` after batch normalisation, whose statistics leave padding out."""
    if exists is None or not training:
        return batch_norm(projected, training=training)
    return batch_norm(projected, training=training, mask=ops.reshape(exists, (-1,)))
