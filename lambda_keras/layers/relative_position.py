"""Relative position embeddings: the table R, and its re-indexing into the embeddings E of every pair.

A table R holds one embedding for each offset between a query and a context position. Its axes are
`[*offsets, key_dim, intra_depth]`, with one axis of offsets for each axis of the grid, from the most negative
offset to the most positive. `E[n, m] = R[position(m) - position(n)]` makes the layer translation equivariant
(LambdaNetworks, section 3.2, https://arxiv.org/abs/2102.08602).
"""

import itertools
import math
import operator
import typing
import weakref

import keras
import numpy as np
from keras import ops

from lambda_keras import keras_internals
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.initialization import Initializer

_identities = itertools.count()
# Numbers in a table, 1 GiB of float32: a line of a configuration must not take all memory.
LARGEST_TABLE = 2**28
# Keras' mark of an object that several others hold.
SHARED = "shared_object_id"


def check_scope_size(scope_size: typing.Any, rank: int | None = None) -> int | tuple[int, ...] | None:
    """Returns a scope as an int, a tuple of ints or `None`, or says what is wrong with it.

    Args:
        scope_size: `None` (global), an odd side, or one odd side for each axis of the grid.
        rank: The number of axes of the grid, where it is known.

    Raises:
        ValueError: A side is even or not positive, or the number of sides is not `rank`.
    """
    if scope_size is None:
        return None
    sides = scope_size if isinstance(scope_size, (tuple, list)) else (scope_size,)
    if not sides or any(not isinstance(side, (int, np.integer)) or side < 1 or side % 2 == 0 for side in sides):
        raise ValueError(
            "`scope_size` must be None (global) or odd and positive, one side or one for each axis, so that a "
            f"query stands in the middle of its scope. Received: scope_size={scope_size}"
        )
    if isinstance(scope_size, (tuple, list)):
        if rank is not None and len(sides) != rank:
            raise ValueError(
                f"`scope_size` needs one side or {rank}, one for each axis of the inputs between batch and "
                f"channels. Received: scope_size={scope_size}"
            )
        return tuple(int(side) for side in sides)
    return int(scope_size)


def fit_table(table: typing.Any, grids: Grids, shift: tuple[int, ...] | None = None) -> typing.Any:
    """Crops or zero-pads a table so that it holds each offset between two grids once.

    Offsets outside the scope get the embedding zero: that is what a local scope means.

    Args:
        table: Relative embeddings R, `[*scope, key_dim, intra_depth]`; the middle of each axis is offset 0.
        grids: The `Grids` of queries and context, of known sides.
        shift: For each axis, where in the context grid the query 0 stands. Zeros by default.

    Returns:
        A table `[*(query_side + context_side - 1), key_dim, intra_depth]`. Along each axis its index is
        `context position - query position + query_side - 1`.
    """
    shift = shift or (0,) * len(grids.queries)
    sides = zip(table.shape[:-2], grids.queries, grids.context, shift, strict=True)
    crops, pads = [], []
    for scope, query_side, context_side, start in sides:
        before = query_side - 1 - scope // 2 + start
        after = query_side + context_side - 1 - scope - before
        crops.append(slice(max(-before, 0), scope - max(-after, 0)))
        pads.append((max(before, 0), max(after, 0)))
    table = table[tuple(crops)]
    return ops.pad(table, [*pads, (0, 0), (0, 0)]) if any(map(any, pads)) else table


def expand_columns(table: typing.Any, grids: Grids) -> typing.Any:
    """Re-indexes all axes of a fitted table but the first from offsets to pairs of positions.

    Args:
        table: What `fit_table` returns for the same grids.
        grids: The `Grids` of queries and context.

    Returns:
        `[positions in a row of queries, offsets of rows, positions in a row of context, intra_depth, key_dim]`: what
        all rows of queries share.
    """
    offsets, *_, key_dim, intra_depth = table.shape
    query_row, context_row = grids.queries[1:], grids.context[1:]
    table = ops.swapaxes(table, -1, -2)
    for axis, (query_side, context_side) in enumerate(zip(query_row, context_row, strict=True), start=1):
        table = _reindex(table, _offsets(query_side, context_side), axis)
    sides = [side for pair in zip(query_row, context_row, strict=True) for side in pair]
    table = ops.reshape(table, (offsets, *sides, intra_depth * key_dim))
    query_axes, context_axes = range(1, len(sides), 2), range(2, len(sides) + 1, 2)
    table = ops.transpose(table, (*query_axes, 0, *context_axes, len(sides) + 1))
    return ops.reshape(table, (math.prod(query_row), offsets, math.prod(context_row), intra_depth, key_dim))


def expand_rows(
    columns: typing.Any, first_row: typing.Any, query_rows: int, context_rows: int, gathers: bool = False
) -> typing.Any:
    """Re-indexes the axis of rows of what `expand_columns` returns, which completes the embeddings.

    Args:
        columns: `[positions in a row, offsets of rows, positions in a row of context, intra_depth, key_dim]`.
        first_row: Index of the offset from the first of the queries to the first row of context, which is the number
            of query rows after it; an integer or a tensor.
        query_rows: Rows of queries to expand. Those past the last row get the embeddings of some other.
        context_rows: Rows of context positions.
        gathers: Whether no gradient is taken; see `_reindex`.

    Returns:
        Embeddings E of these queries, `[positions in a row * query_rows, m * intra_depth, key_dim]`, in the order that
        `contraction` multiplies: the queries of a column follow each other, so that E is written once, in long pieces.
    """
    row, _, context_row, intra_depth, key_dim = columns.shape
    index = first_row + np.arange(context_rows)[None, :] - np.arange(query_rows)[:, None]
    embeddings = _reindex(columns, ops.maximum(index, 0), 1, gathers)
    return ops.reshape(embeddings, (row * query_rows, context_rows * context_row * intra_depth, key_dim))


def expand_pairs(table: typing.Any, grids: Grids) -> typing.Any:
    """The embeddings E of all pairs of positions in one gather: few operations, but an index of n·m numbers.

    Args:
        table: Relative embeddings R, `[*scope, key_dim, intra_depth]`.
        grids: The `Grids` of queries and context, of known sides.

    Returns:
        `[n, m * intra_depth, key_dim]`, queries and context row by row.
    """
    *scope, key_dim, intra_depth = table.shape
    places = [np.indices(grid).reshape(len(grid), -1) for grid in (grids.queries, grids.context)]
    offsets = [
        of_context[None, :] - of_query[:, None] + side // 2
        for side, of_query, of_context in zip(scope, *places, strict=True)
    ]
    reached = np.all([(offset >= 0) & (offset < side) for offset, side in zip(offsets, scope, strict=True)], axis=0)
    # What the scope does not reach has the embedding zero, which stands behind the table.
    beyond = math.prod(scope)
    index = np.where(reached, np.ravel_multi_index(offsets, scope, mode="clip"), beyond)
    flat = ops.reshape(ops.swapaxes(table, -1, -2), (beyond, intra_depth * key_dim))
    if not reached.all():
        flat = ops.pad(flat, [(0, 1), (0, 0)])
    embeddings = ops.take(flat, index.astype("int32").reshape(-1), axis=0)
    return ops.reshape(embeddings, (index.shape[0], index.shape[1] * intra_depth, key_dim))


def _offsets(query_side, context_side):
    """`[query_side, context_side]`: the index in a fitted table of the offset of each pair of positions."""
    return np.arange(context_side)[None, :] - np.arange(query_side)[:, None] + query_side - 1


def _reindex(tensor, index, axis, gathers=False):
    """Puts `tensor[index]` along an axis in the place of the axis, as one axis of pairs.

    A product with a one-hot matrix is exact, since each sum has one term that is not zero, and its gradient takes half
    the time of a gather's. Without a gradient the gather takes two thirds of its time; TFLite's converter puts what is
    gathered from constants into the file.
    """
    index = ops.reshape(ops.cast(index, "int32"), (-1,))
    if gathers:
        return ops.take(tensor, index, axis=axis)
    before, (offsets, *after) = tensor.shape[:axis], tensor.shape[axis:]
    one_hot = ops.cast(index[:, None] == ops.arange(offsets, dtype="int32"), tensor.dtype)
    tensor = ops.reshape(tensor, (math.prod(before), offsets, math.prod(after)))
    return ops.reshape(ops.matmul(one_hot, tensor), (*before, -1, *after))


@keras.saving.register_keras_serializable(package="lambda_keras")
class RelativePositionEmbedding(keras.layers.Layer):
    """The learned table R of relative position embeddings of a lambda layer.

    A `LambdaLayer` makes its own. Give one instance to several lambda layers of the same resolution to share
    the embeddings between them, which the paper uses to save memory (section 4). Layers of a model still share it
    after `model.save` and `load_model`, after `save_pretrained` and `from_pretrained`, and in what
    `keras.models.clone_model` makes. What makes layers of a configuration alone (`model_from_json`, `from_config`)
    would make a table for each: it is refused.

    Args:
        key_dim: Key depth k.
        intra_depth: Intra-depth u.
        scope_size: Side of the local scope, odd; or one side for each axis; or `None` for a global scope,
            whose table covers every offset of the grid that the layer is built for.
        embeddings_initializer: Initialiser of the table, by name, configuration or object. By default the paper's,
            normal of variance 1.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Queries' feature map `[batch, *grid, channels]`; only its grid is read.
        context: Context's feature map `[batch, *context_grid, channels]`. The inputs by default.

    Returns:
        The embeddings E `[n, m, key_dim, intra_depth]` of the paper's equations, in the compute dtype.

    Example:
        >>> shared = lk.layers.RelativePositionEmbedding(key_dim=16, scope_size=None)
        >>> x = lk.layers.LambdaLayer(position_embedding=shared)(keras.Input((14, 14, 64)))
        >>> x = lk.layers.LambdaLayer(position_embedding=shared)(x)
    """

    def __init__(
        self,
        key_dim: int,
        intra_depth: int = 1,
        scope_size: int | tuple[int, ...] | None = None,
        embeddings_initializer: Initializer = None,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(**kwargs)
        # NumPy's integers are not for JSON.
        self.key_dim, self.intra_depth = operator.index(key_dim), operator.index(intra_depth)
        self.scope_size = check_scope_size(scope_size)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        # Of this table among all that the process makes, and the same in each run of a script.
        self._identity = f"lambda_keras>RelativePositionEmbedding>{next(_identities)}"
        self._users: weakref.WeakSet[keras.layers.Layer] = weakref.WeakSet()

    def build(self, inputs_shape: tuple[int | None, ...], context_shape: tuple[int | None, ...] | None = None) -> None:
        """Makes the table. Shapes are `[batch, *grid, channels]`; a global scope needs known grids.

        Raises:
            ValueError: A grid is unknown, or the table would have more than `LARGEST_TABLE` numbers.
        """
        grids = Grids.of_shapes(inputs_shape, context_shape)
        rank = len(grids.queries)
        self.scope_size = check_scope_size(self.scope_size, rank)
        if self.scope_size is None:
            offsets = self._offsets_of(grids)
        else:
            offsets = self.scope_size if isinstance(self.scope_size, tuple) else (self.scope_size,) * rank
        shape = (*offsets, self.key_dim, self.intra_depth)
        if math.prod(shape) > LARGEST_TABLE:
            raise ValueError(
                f"The table of {self.name} would have the shape {shape}, more than {LARGEST_TABLE:,} numbers; give a "
                f"smaller `scope_size`. Received: scope_size={self.scope_size}, query grid {grids.queries}, context "
                f"grid {grids.context}"
            )
        self.table = self.add_weight(
            name="table",
            shape=shape,
            initializer=self.embeddings_initializer or keras.initializers.RandomNormal(stddev=1.0),
        )
        self.built = True

    def check_grids(self, grids: Grids) -> None:
        """Raises a ValueError if the table does not belong to these grids."""
        rank = len(self.table.shape) - 2
        if len(grids.queries) != rank or len(grids.context) != rank:
            raise ValueError(
                f"{self.name} holds relative positions along {rank} axes; queries and context must have as many "
                f"between batch and channels. Received: query grid {grids.queries}, context grid {grids.context}"
            )
        if self.scope_size is None:
            offsets = self._offsets_of(grids)
            built_for = tuple(self.table.shape[:-2])
            if any(needed != have for needed, have in zip(offsets, built_for, strict=True)):
                raise ValueError(
                    f"{self.name} has a global scope and was built for {built_for} offsets, but these inputs have "
                    f"{offsets}: query grid {grids.queries}, context grid {grids.context}. Build the model for "
                    "this size, or use a local scope (`scope_size=23`), which takes every size."
                )

    def _offsets_of(self, grids):
        if not grids.known:
            raise ValueError(
                f"A global scope (`scope_size=None`) needs inputs of known size. Received: query grid {grids.queries}, "
                f"context grid {grids.context}. Give the size, or a local scope such as `scope_size=23`."
            )
        # As many on either side of offset 0, also where the grids differ.
        return tuple(2 * max(sides) - 1 for sides in zip(grids.queries, grids.context, strict=True))

    def call(self, inputs: typing.Any, context: typing.Any = None) -> typing.Any:
        """Returns E; see the class."""
        grids = Grids.of_shapes(inputs.shape, None if context is None else context.shape)
        self.check_grids(grids)
        columns = expand_columns(fit_table(ops.cast(self.table, self.compute_dtype), grids), grids)
        rows, (_, m) = grids.queries[0], grids.positions
        embeddings = expand_rows(columns, rows - 1, rows, grids.context[0])
        embeddings = ops.reshape(embeddings, (-1, rows, m, self.intra_depth, self.key_dim))
        embeddings = ops.transpose(embeddings, (1, 0, 2, 4, 3))
        return ops.reshape(embeddings, (-1, *embeddings.shape[2:]))

    def compute_output_shape(
        self, inputs_shape: tuple[int | None, ...], context_shape: tuple[int | None, ...] | None = None
    ) -> tuple[int | None, ...]:
        """`(n, m, key_dim, intra_depth)`; `None` where a side is unknown."""
        grids = Grids.of_shapes(inputs_shape, context_shape)
        positions = [None if None in grid else math.prod(grid) for grid in (grids.queries, grids.context)]
        return (*positions, self.key_dim, self.intra_depth)

    def share_with(self, layer: keras.layers.Layer) -> None:
        """Notes that a layer was given this table."""
        self._users.add(layer)

    def serialized(self) -> dict[str, typing.Any]:
        """The serialised layer, marked as one object in the files of all models if several layers share it.

        Keras marks what it serialises twice, but not where a layer holds it.
        """
        mark = {SHARED: self._identity} if len(self._users) > 1 else {}
        return {**keras.saving.serialize_keras_object(self), **mark}

    @classmethod
    def deserialized(cls, config: dict[str, typing.Any], user: str) -> "RelativePositionEmbedding":
        """Makes the layer that `serialized` describes, one that is shared only once.

        Args:
            config: The configuration.
            user: Name of the layer that is given it, for the message.

        Raises:
            ValueError: Other layers share it, and each would be given another.
        """
        # Built with the layer that is given it: the copy of a model may be for images of another size.
        config = {**config, "build_config": None}
        if SHARED not in config or keras_internals.makes_shared_once():
            return keras.saving.deserialize_keras_object(config)
        copies = keras_internals.copies_of_clone_model()
        if copies is None:
            raise ValueError(
                f"{user} shares its position table with other layers, and what makes layers of a configuration "
                "(`from_config`, `model_from_json`) would make a table for each. What keeps the table shared: "
                "`keras.models.clone_model(model)`, or `model.save(path)` and `keras.models.load_model(path)`."
            )
        if config[SHARED] not in copies:
            copies[config[SHARED]] = keras.saving.deserialize_keras_object(config)
        return copies[config[SHARED]]

    def get_config(self) -> dict[str, typing.Any]:
        """Every argument of the constructor."""
        config = {
            "key_dim": self.key_dim,
            "intra_depth": self.intra_depth,
            "scope_size": self.scope_size,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
        return {**super().get_config(), **config}
