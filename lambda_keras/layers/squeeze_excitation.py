"""Squeeze-and-excitation."""

import operator
import typing

import keras
from keras import ops

from lambda_keras.keras_internals import sublayers
from lambda_keras.layers.quantized import layer_from_config, policies_of


@keras.saving.register_keras_serializable(package="lambda_keras")
class SqueezeExcitation(keras.layers.Layer):
    """Scales each channel by a gate computed from the mean of all channels (https://arxiv.org/abs/1709.01507).

    Args:
        ratio: Channels of the input over channels of the bottleneck; ResNet-RS takes 4.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `[batch, height, width, channels]`.

    Returns:
        The same shape and dtype.

    Example:
        >>> y = lk.layers.SqueezeExcitation(ratio=4)(keras.Input((14, 14, 256)))
    """

    def __init__(self, ratio: int = 4, **kwargs: typing.Any) -> None:
        super().__init__(**kwargs)
        self.ratio = operator.index(ratio)
        self._quantized: dict[str, typing.Any] = {}

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the two projections with bias."""
        channels = typing.cast(int, input_shape[-1])
        squeezed = max(1, channels // self.ratio)

        def projection(width, activation, name):
            initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")
            policy = self._quantized.get(name, self.dtype_policy)
            return keras.layers.Dense(width, activation, kernel_initializer=initializer, dtype=policy, name=name)

        self.squeeze = projection(squeezed, "relu", "squeeze")
        self.excite = projection(channels, "sigmoid", "excite")
        self.squeeze.build((None, channels))
        self.excite.build((None, squeezed))
        self.built = True

    def call(self, inputs: typing.Any) -> typing.Any:
        """Returns the gated inputs."""
        gates = self.excite(self.squeeze(ops.mean(inputs, axis=(1, 2))))
        return inputs * gates[:, None, None]

    def multiply_adds(self, input_shape: tuple[int, ...]) -> int:
        """Multiply-adds of the two projections and the gating, for one example."""
        height, width, channels = input_shape[1:]
        return 2 * channels * max(1, channels // self.ratio) + height * width * channels

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, typing.Any]:
        """Every argument of the constructor."""
        return {**super().get_config(), "ratio": self.ratio, **policies_of(sublayers(self))}

    @classmethod
    def from_config(cls, config: dict[str, typing.Any]) -> "SqueezeExcitation":
        """Makes the layer that `get_config` describes."""
        return layer_from_config(cls, config)
