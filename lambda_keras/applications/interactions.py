"""The layers with which a ResNet's positions interact, in the place of 3×3 convolutions: lambda layers or attention."""

import typing

import keras

from lambda_keras.applications.resnet import STAGES, ResNetConfig
from lambda_keras.layers import (
    AxialSelfAttention,
    GlobalSelfAttention,
    LambdaLayer,
    LocalSelfAttention,
    RelativePositionEmbedding,
)

_ATTENTION = {"global": GlobalSelfAttention, "axial": AxialSelfAttention, "local": LocalSelfAttention}


class Interactions:
    """Makes the layers of a configuration's `lambda_blocks`, and the position tables that they share.

    Args:
        config: A `ResNetConfig`.

    Attributes:
        suffix: What the names of the layers end in.
    """

    def __init__(self, config: ResNetConfig) -> None:
        self.config = config
        self.suffix = "lambda" if config.interaction == "lambda" else "attention"
        # By resolution, which is the number of the stage that has it, and scope.
        self._tables: dict[tuple, RelativePositionEmbedding] = {}

    def layer(self, x: keras.KerasTensor, stage: int, strides: int, name: str) -> keras.KerasTensor:
        """A layer and its output.

        Args:
            x: `[batch, height, width, channels]`.
            stage: Index of its stage.
            strides: Those of its block; it runs before the stride, at the resolution of the stage before.
            name: That of its block.
        """
        config = self.config
        scope = config.scope_size if config.stage_scope_sizes is None else config.stage_scope_sizes[stage]
        arguments: dict[str, typing.Any] = {
            "num_heads": config.num_heads,
            "key_dim": config.key_dim,
            "scope_size": tuple(scope) if isinstance(scope, list) else scope,
            "name": f"{name}_{self.suffix}",
        }
        if config.share_position_embeddings:
            resolution = stage - 1 if strides > 1 else stage
            arguments["position_embedding"] = self._table(resolution, arguments["scope_size"], x.shape[-1])
        if config.interaction != "lambda":
            return _ATTENTION[config.interaction](**arguments)(x)
        return LambdaLayer(
            intra_depth=config.intra_depth,
            use_content=config.use_content,
            use_position=config.use_position,
            use_position_bias=config.use_position_bias,
            key_normalization=config.key_normalization,
            query_softmax=config.query_softmax,
            use_batch_norm=config.use_batch_norm,
            implementation=config.implementation,
            batch_norm_momentum=config.batch_norm_momentum,
            batch_norm_epsilon=config.batch_norm_epsilon,
            **arguments,
        )(x)

    def _table(self, resolution, scope, channels):
        key_dim = self.config.key_dim or channels // self.config.num_heads
        key = resolution, scope, key_dim
        if key not in self._tables:
            same_name = sum(resolution == other for other, *_ in self._tables)
            self._tables[key] = RelativePositionEmbedding(
                key_dim=key_dim,
                intra_depth=self.config.intra_depth,
                scope_size=scope,
                name=f"{STAGES[resolution]}_position_embedding" + (f"_{same_name + 1}" if same_name else ""),
            )
        return self._tables[key]
