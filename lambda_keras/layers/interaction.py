"""Interaction, of which lambda layers and self-attention are kinds: projections, positions and configuration."""

import operator
import typing

import keras

from lambda_keras.keras_internals import padding_mask, sublayers
from lambda_keras.layers.argument_checks import check_counts, check_filters
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.initialization import Initializer, clone
from lambda_keras.layers.quantized import layer_from_config, policies_of
from lambda_keras.layers.relative_position import RelativePositionEmbedding, check_scope_size

Shape = tuple[int | None, ...]


class Interaction(keras.layers.Layer):
    """A layer through which the positions of inputs interact with those of a context.

    Kinds of it make their projections with `_projection` and their position table with `_build_position_embedding`, and
    refuse calls in `_check_call`. Their arguments say the same as those of `LambdaLayer`.
    """

    def __init__(
        self,
        filters: int | None,
        num_heads: int,
        scope_size: int | tuple[int, ...] | None,
        position_embedding: RelativePositionEmbedding | None,
        kernel_initializer: Initializer,
        kernel_regularizer: typing.Any,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(**kwargs)
        (self.num_heads,) = check_counts(num_heads=num_heads)
        check_filters(filters, self.num_heads)
        if position_embedding is not None:
            position_embedding.share_with(self)
            scope_size = position_embedding.scope_size
        self.filters = None if filters is None else operator.index(filters)
        self.scope_size = check_scope_size(scope_size)
        # The layer's own is made by `build`: its place among the weights is behind the projections.
        self.position_embedding: typing.Any = position_embedding
        self._shares_position_embedding = position_embedding is not None
        self._quantized: dict[str, typing.Any] = {}
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def _projection(self, name, width, channels, deviation=None):
        deviation = channels**-0.5 if deviation is None else deviation
        layer = keras.layers.Dense(
            width,
            use_bias=False,
            kernel_initializer=clone(self.kernel_initializer) or keras.initializers.RandomNormal(stddev=deviation),
            kernel_regularizer=self.kernel_regularizer,
            dtype=self._quantized.get(name, self.dtype_policy),
            name=name,
        )
        layer.build((None, channels))
        return layer

    def _build_position_embedding(self, inputs_shape, context_shape, key_dim, intra_depth=1, initializer=None):
        """Makes the position table, unless it is another layer's, and checks that it is one for these shapes."""
        if self.position_embedding is None:
            self.position_embedding = RelativePositionEmbedding(
                key_dim=key_dim,
                intra_depth=intra_depth,
                scope_size=self.scope_size,
                embeddings_initializer=initializer,
                dtype=self.dtype_policy,
                name="position_embedding",
            )
        if not self.position_embedding.built:
            self.position_embedding.build(inputs_shape, context_shape)
        self.position_embedding.check_grids(Grids.of_shapes(inputs_shape, context_shape))

    def _scope_sides(self, rank):
        return (self.scope_size,) * rank if isinstance(self.scope_size, int) else self.scope_size

    def __call__(
        self,
        inputs: typing.Any,
        context: typing.Any = None,
        mask: typing.Any = None,
        training: bool | None = None,
        context_mask: typing.Any = None,
    ) -> typing.Any:
        """Calls the layer, with the padding mask that came with the context unless one is given."""
        # Keras would pass it as `mask`, where nothing tells it from a mask of pairs.
        if context_mask is None:
            context_mask = padding_mask(inputs if context is None else context)
        return super().__call__(inputs, context=context, mask=mask, training=training, context_mask=context_mask)

    def _check_call(self, inputs, context, mask, context_mask):
        """The `Masks` of a call; raises a ValueError where the layer does not take it."""
        # Each kind takes others.
        raise NotImplementedError

    def compute_output_spec(
        self,
        inputs: typing.Any,
        context: typing.Any = None,
        mask: typing.Any = None,
        training: bool | None = None,
        context_mask: typing.Any = None,
    ) -> typing.Any:
        """Checks what `call` checks, so that a functional model fails where it is made."""
        self._check_call(inputs, inputs if context is None else context, mask, context_mask)
        return super().compute_output_spec(
            inputs, context=context, mask=mask, training=training, context_mask=context_mask
        )

    def compute_mask(self, inputs: typing.Any, previous_mask: typing.Any) -> typing.Any:
        """The padding mask of the inputs, which outputs share; `mask` itself is about pairs of positions."""
        return padding_mask(inputs)

    def compute_output_shape(self, inputs_shape: Shape, context_shape: Shape | None = None) -> Shape:
        """`(batch, *grid, filters)`."""
        return (*inputs_shape[:-1], self.filters or inputs_shape[-1])

    def get_config(self) -> dict[str, typing.Any]:
        """Every argument of the constructor."""
        config = {
            "filters": self.filters,
            "num_heads": self.num_heads,
            "scope_size": self.scope_size,
            "position_embedding": self.position_embedding.serialized() if self._shares_position_embedding else None,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
        return {**super().get_config(), **config, **policies_of(sublayers(self))}

    @classmethod
    def from_config(cls, config: dict[str, typing.Any]) -> typing.Self:
        """Makes the layer that `get_config` describes."""
        config = dict(config)
        if config.get("position_embedding") is not None:
            embedding = RelativePositionEmbedding.deserialized(
                config["position_embedding"], config.get("name", "the layer")
            )
            config["position_embedding"] = embedding
        return layer_from_config(cls, config)
