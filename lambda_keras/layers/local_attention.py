"""LocalSelfAttention: self-attention in a window around each position, a baseline of the paper."""

import math
import typing

import keras
import numpy as np
from keras import ops

from lambda_keras.layers.attention import SelfAttention, softmax_of_seen
from lambda_keras.layers.contraction import position_scores
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.relative_position import expand_columns, fit_table


@keras.saving.register_keras_serializable(package="lambda_keras")
class LocalSelfAttention(SelfAttention):
    """Multi-head self-attention of each position over the window around it, a baseline of the paper.

    The equations of `GlobalSelfAttention`, where m runs over the `scope_size` × `scope_size` positions around n that
    are inside the map (Ramachandran et al., https://arxiv.org/abs/1906.05909). Unlike in a lambda layer, content is
    local too.

    Args:
        filters: As in `GlobalSelfAttention`, and so are the arguments that are not here.
        scope_size: Side of the window, odd; or one side for each axis of the grid.
        **kwargs: The other arguments of `GlobalSelfAttention`.

    Call arguments:
        inputs: As in `GlobalSelfAttention`, and so are the others.
        context: On the grid of the inputs.

    Returns:
        `[batch, *grid, filters]` in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit; the message says which, and what is allowed.

    Example:
        >>> x = keras.Input((56, 56, 64))
        >>> lk.layers.LocalSelfAttention(num_heads=8, scope_size=7)(x).shape
        (None, 56, 56, 64)
    """

    def __init__(
        self, filters: int | None = None, scope_size: int | tuple[int, ...] | None = 7, **kwargs: typing.Any
    ) -> None:
        super().__init__(filters=filters, scope_size=scope_size, **kwargs)
        if self.scope_size is None:
            raise ValueError(
                "`scope_size` of LocalSelfAttention must be a side, such as 7; GlobalSelfAttention sees all positions. "
                "Received: scope_size=None"
            )

    def _check_shapes(self, inputs_shape, context_shape):
        super()._check_shapes(inputs_shape, context_shape)
        grids = Grids.of_shapes(inputs_shape, context_shape)
        if grids.queries != grids.context:
            raise ValueError(
                f"{self.name} needs a context on the grid of its inputs, since windows are around the queries. "
                f"Received: query grid {grids.queries}, context grid {grids.context}"
            )

    def _attend(self, queries, keys, values, table, grids, seen):
        """Each row of queries attends to a window of whole rows, in which columns out of reach are masked."""
        height, *row = grids.queries
        width, key_dim = math.prod(row), queries.shape[-1]
        # No row is further away than height - 1. Of a grid of half as many rows the table has an offset each.
        window = min(table.shape[0], 2 * height - 1)
        band = Grids(((window + 1) // 2, *row), ((window + 1) // 2, *row))
        embeddings = ops.reshape(expand_columns(fit_table(table, band), band), (width, window * width, key_dim))
        index = np.arange(height)[:, None] + np.arange(window) - window // 2
        inside, index = (index >= 0) & (index < height), index.clip(0, height - 1)
        in_reach = inside[:, None, :, None] & self._columns_in_reach(row)[None, :, None, :]
        if seen is None:
            seen = in_reach[None]
        else:
            seen = ops.logical_and(in_reach, self._seen_in_windows(seen, index, height, width))
        seen = ops.reshape(seen, (-1, height, 1, width, window * width))

        # All rows of queries have the same embeddings, and so do examples.
        of_positions = position_scores(ops.reshape(queries, (-1, width, self.num_heads, key_dim)), embeddings, width)
        of_positions = ops.reshape(of_positions, (-1, height, width, self.num_heads, window * width))
        queries = ops.transpose(ops.reshape(queries, (-1, height, width, self.num_heads, key_dim)), (0, 1, 3, 2, 4))
        keys, values = (self._windows(x, index, height, width) for x in (keys, values))
        logits = ops.matmul(queries, ops.transpose(keys, (0, 1, 2, 4, 3)))
        weights = softmax_of_seen(logits + ops.transpose(of_positions, (0, 1, 3, 2, 4)), seen)
        return ops.transpose(ops.matmul(weights, values), (0, 1, 3, 2, 4))

    def _seen_in_windows(self, seen, index, height, width):
        """What each row of queries sees in its window, `[b or 1, height, width, window, width]`."""
        seen = ops.broadcast_to(seen, (ops.shape(seen)[0], height * width, height * width))
        pairs_of_rows = ops.transpose(ops.reshape(seen, (-1, height, width, height, width)), (0, 1, 3, 2, 4))
        pairs_of_rows = ops.reshape(pairs_of_rows, (-1, height * height, width, width))
        windows = ops.take(pairs_of_rows, index + height * np.arange(height)[:, None], axis=1)
        return ops.transpose(windows, (0, 1, 3, 2, 4))

    def _windows(self, x, index, height, width):
        """The rows of a window for each row of queries, `[b, height, h, window * width, depth]`."""
        depth = x.shape[-1]
        x = ops.take(ops.reshape(x, (-1, height, width, self.num_heads, depth)), index, axis=1)
        return ops.reshape(
            ops.transpose(x, (0, 1, 4, 2, 3, 5)), (-1, height, self.num_heads, index.shape[1] * width, depth)
        )

    def _columns_in_reach(self, row):
        """Boolean `[width, width]`: whether two positions of a row are within the scope along each of its axes."""
        sides = self._scope_sides(len(row) + 1)[1:]
        places = np.stack(np.unravel_index(np.arange(math.prod(row)), row), -1) if row else np.zeros((1, 0), int)
        distance = np.abs(places[:, None] - places[None])
        return (distance <= np.array(sides, int) // 2).all(axis=-1)

    def _pairs(self, grids):
        # Windows at the edge count whole, as in the literature.
        return math.prod(grids.queries) * math.prod(self._scope_sides(len(grids.queries)))
