"""FusedLambdaLayer: a trained LambdaLayer with fewer and larger products, for inference."""

import math
import typing

import keras
import numpy as np
from keras import ops

from lambda_keras.layers.chunks import expand, shape_of_embeddings
from lambda_keras.layers.contraction_plan import DENSE_ORDERS, Plan
from lambda_keras.layers.folding import fold
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.interaction import Shape
from lambda_keras.layers.lambda_layer import LambdaLayer

# Bytes of float32 embeddings E, by layer, up to which they are stored: maps of up to 22×22 positions under a global
# scope, which are those of c4 for images of up to 352 pixels, and bands of larger maps under a local one. E in the
# place of R makes a layer 1.5 times faster at 14×14 (2.3 MB, batch 1 on a CPU), but 1.2 times at 28×28 (37 MB), more
# than half of a whole model's file; at 56×56 it takes 600 MB.
LARGEST_EMBEDDINGS = 16 * 2**20


@keras.saving.register_keras_serializable(package="lambda_keras")
class FusedLambdaLayer(LambdaLayer):
    """A trained `LambdaLayer` for inference: same numbers, fewer and larger products. `lambda_keras.fuse` makes it.

    Batch normalisation is folded into the projections, and the three projections are one matrix product with a bias.
    With `embeddings_plan` the layer holds the embeddings E of every pair of positions in the place of the table R: the
    size of its inputs, the order of contraction and its chunks are fixed then.

    Args:
        embeddings_plan: `None` to hold the table R and expand it in each call, or `(order, query_rows)`, the plan whose
            embeddings E the layer holds: a dense order, and the rows of queries in a chunk or `None`.
        **kwargs: The arguments of `LambdaLayer`. Those of batch normalisation, initialisers and regularisers
            have no effect.

    Call arguments:
        inputs: `[batch, *grid, channels]`, as in `LambdaLayer`. A context of its own or a mask is refused, a
            `context_mask` is not.

    Returns:
        `[batch, *grid, filters]` in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit.

    Example:
        >>> fast = lk.fuse(lk.LambdaResNet50())
        >>> fast.get_layer("c5_block1_lambda")
        <FusedLambdaLayer name=c5_block1_lambda, built=True>
    """

    def __init__(self, embeddings_plan: tuple[str, int | None] | None = None, **kwargs: typing.Any) -> None:
        super().__init__(**{**kwargs, "use_batch_norm": False})
        if embeddings_plan is not None and embeddings_plan[0] not in DENSE_ORDERS:
            raise ValueError(
                f"`embeddings_plan` must be None or (order, query_rows) with an order of {DENSE_ORDERS}. Received: "
                f"embeddings_plan={embeddings_plan!r}"
            )
        self.embeddings_plan = None if embeddings_plan is None else Plan(*embeddings_plan)

    @classmethod
    def config_of(cls, layer: LambdaLayer, inputs_shape: Shape) -> dict[str, typing.Any]:
        """The configuration of the fused form of a lambda layer.

        Args:
            layer: A built `LambdaLayer`.
            inputs_shape: `(batch, *grid, channels)` of its inputs, `None` where unknown.

        Returns:
            A dict for `from_config`. Embeddings are planned where the grid is known, the plan has a dense order, and
            they take up to `LARGEST_EMBEDDINGS` bytes.
        """
        # Layers that shared a table have copies of their own then.
        config = {**layer.get_config(), "position_embedding": None, "scope_size": layer.scope_size}
        grids = Grids.of_shapes(inputs_shape)
        if layer.use_position and grids.known:
            plan = layer.plan(inputs_shape, stores_embeddings=True)
            if plan.order in DENSE_ORDERS:
                shape = shape_of_embeddings(layer.position_embedding.table.shape, grids, plan)
                if 4 * math.prod(shape) <= LARGEST_EMBEDDINGS:
                    config["embeddings_plan"] = (plan.order, plan.query_rows)
        return config

    def _build_projections(self, query_channels, context_channels):
        self._widths = [self.num_heads * self.key_dim, self.intra_depth * self.value_dim]
        if self.use_content:
            self._widths.insert(1, self.intra_depth * self.key_dim)
        self.kernel = self.add_weight(name="kernel", shape=(query_channels, sum(self._widths)))
        self.bias = self.add_weight(name="bias", shape=(sum(self._widths),), initializer="zeros")

    def _build_positions(self, inputs_shape, context_shape):
        if self.embeddings_plan is None:
            super()._build_positions(inputs_shape, context_shape)
            return
        self._grids = Grids.of_shapes(inputs_shape)
        grid = self._grids.queries
        sides = self._scope_sides(len(grid)) or tuple(2 * side - 1 for side in grid)
        table_shape = (*sides, self.key_dim, self.intra_depth)
        shape = shape_of_embeddings(table_shape, self._grids, self.embeddings_plan)
        # Training would give pairs of the same offset different embeddings.
        self.embeddings = self.add_weight(name="embeddings", shape=shape, trainable=False)

    def copy_weights(self, layer: LambdaLayer) -> None:
        """Takes over, folded and expanded, the weights of the lambda layer that this one stands for."""
        query_batch_norm = value_batch_norm = None
        if layer.use_batch_norm:
            query_batch_norm, value_batch_norm = layer.query_batch_norm, layer.value_batch_norm
        folded = [fold(layer.query_projection, query_batch_norm), fold(layer.value_projection, value_batch_norm)]
        if self.use_content:
            folded.insert(1, fold(layer.key_projection))
        kernels, biases = zip(*folded, strict=True)
        self.kernel.assign(np.concatenate(kernels, axis=-1))
        self.bias.assign(np.concatenate(biases))
        if self.use_position_bias:
            self.position_bias.assign(layer.position_bias)
        if self.embeddings_plan is not None:
            table = ops.convert_to_tensor(layer.position_embedding.table)
            self.embeddings.assign(expand(table, self._grids, self.embeddings_plan, gathers=True))
        elif self.use_position:
            self.position_embedding.table.assign(layer.position_embedding.table)

    def load_own_variables(self, store: typing.Any) -> None:
        """Loads what a file of Keras holds. Version 0.1.0 wrote embeddings as `[n, k, m·u]`, row by row."""
        if self.embeddings_plan is not None:
            store = {key: store[key] for key in list(store.keys())}
            # The only weight that is not trainable comes last.
            key = str(len(store) - 1)
            if len(store[key].shape) == 3:
                chunks, n, m, key_dim = self.embeddings.shape
                row = math.prod(self._grids.queries[1:])
                rows_first = np.reshape(store[key], (chunks, n // row, row, key_dim, m))
                store[key] = rows_first.transpose(0, 2, 1, 4, 3).reshape(self.embeddings.shape)
        super().load_own_variables(store)

    def _project(self, inputs, context, training, exists=None):
        flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
        projected = ops.matmul(flat, self.kernel) + self.bias
        # Slices rather than a split: TFLite's XNNPACK takes the former only.
        stops = np.cumsum(self._widths).tolist()
        parts = [projected[:, stop - width : stop] for stop, width in zip(stops, self._widths, strict=True)]
        return parts if self.use_content else (parts[0], None, parts[1])

    def _add_positions(self, operands, grids):
        if self.embeddings_plan is None:
            return super()._add_positions(operands, grids)
        return operands._replace(embeddings=ops.cast(self.embeddings, operands.queries.dtype))

    def plan(self, *shapes: typing.Any, **situation: typing.Any) -> Plan:
        """The `Plan` that the layer follows; that of its embeddings if it holds them. Arguments as in `LambdaLayer`."""
        return self.embeddings_plan or super().plan(*shapes, **situation)

    def _check_call(self, inputs, context, mask, context_mask):
        masks = super()._check_call(inputs, context, mask, context_mask)
        if context is not inputs or masks.pairs is not None:
            raise ValueError(
                f"{self.name} is fused for self-interaction: it takes neither a context nor a mask. Use a LambdaLayer."
            )
        grid = tuple(inputs.shape[1:-1])
        if self.built and self.embeddings_plan is not None and grid != self._grids.queries:
            raise ValueError(
                f"{self.name} holds embeddings for the grid {self._grids.queries}. Received: grid {grid}. Fuse a model "
                "built for this size, or one of unknown size."
            )
        return masks

    def get_config(self) -> dict[str, typing.Any]:
        """Every argument of the constructor."""
        plan = self.embeddings_plan
        return {**super().get_config(), "embeddings_plan": plan and (plan.order, plan.query_rows)}
