"""What the builders of all architectures share: convolutions, inputs, head and the arguments around them."""

import operator
import os
import sys
import types
import typing
import warnings
from collections.abc import Callable, Sequence

import keras

from lambda_keras.applications.rematerialization import rematerialize
from lambda_keras.layers import BatchNormalization
from lambda_keras.weights import catalog, loader, reference
from lambda_keras.weights.errors import WeightsWarning
from lambda_keras.weights.formats import resnet_rs
from lambda_keras.weights.preprocessor import Preprocessor, remember
from lambda_keras.weights.reference import Hub, Tag


class Blocks:
    """Makes the layers that a configuration's blocks repeat, with its normalisation and activation.

    Args:
        config: A configuration with `activation`, `batch_norm_momentum` and `batch_norm_epsilon`.
    """

    def __init__(self, config: typing.Any) -> None:
        self.config = config

    def convolution(
        self, x: keras.KerasTensor, filters: int, kernel_size: int, strides: int = 1, *, name: str
    ) -> keras.KerasTensor:
        """Convolution without bias; padding is the same on all sides, whatever the stride."""
        x = self._pad(x, kernel_size, strides, name)
        return keras.layers.Conv2D(
            filters,
            kernel_size,
            strides,
            padding="same" if strides == 1 else "valid",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal"),
            name=name,
        )(x)

    def depthwise_convolution(
        self, x: keras.KerasTensor, kernel_size: int, strides: int = 1, *, name: str
    ) -> keras.KerasTensor:
        """Depthwise convolution without bias, padded as `convolution`."""
        x = self._pad(x, kernel_size, strides, name)
        return keras.layers.DepthwiseConv2D(
            kernel_size,
            strides,
            padding="same" if strides == 1 else "valid",
            data_format="channels_last",
            use_bias=False,
            depthwise_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal"),
            name=name,
        )(x)

    def normalize(
        self, x: keras.KerasTensor, *, name: str, gamma: str = "ones", activate: bool = True
    ) -> keras.KerasTensor:
        """Batch normalisation, and the activation unless `activate` is false."""
        x = BatchNormalization(
            momentum=self.config.batch_norm_momentum,
            epsilon=self.config.batch_norm_epsilon,
            gamma_initializer=gamma,
            name=f"{name}_bn",
        )(x)
        return self.activate(x, name=name) if activate else x

    def activate(self, x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
        """The configuration's activation."""
        return keras.layers.Activation(self.config.activation, name=f"{name}_{self.config.activation}")(x)

    @staticmethod
    def _pad(x, kernel_size, strides, name):
        if strides == 1:
            return x
        # "same" padding of a strided convolution depends on the parity of the image; this does not.
        padding = keras.layers.ZeroPadding2D(kernel_size // 2, data_format="channels_last", name=f"{name}_pad")
        return padding(x)


def _make_input(input_tensor, input_shape, config, source):
    """The input of a model: the tensor given, or a new one of the shape given or of the default shape."""
    if input_shape is not None and (len(input_shape) != 3 or input_shape[-1] is None):
        raise ValueError(
            f"`input_shape` must be (height, width, channels) with known channels. Received: input_shape={input_shape}"
        )
    if input_tensor is None:
        return keras.Input(tuple(input_shape or _default_shape(config, source)), name="image")
    if not keras.backend.is_keras_tensor(input_tensor):
        raise ValueError(
            f"`input_tensor` must be a Keras tensor, such as `keras.Input` returns. Received: {input_tensor!r}"
        )
    if input_shape is not None and tuple(input_tensor.shape[1:]) != tuple(input_shape):
        raise ValueError(
            f"`input_tensor` and `input_shape` differ. Received: input_tensor.shape={tuple(input_tensor.shape)}, "
            f"input_shape={tuple(input_shape)}"
        )
    return input_tensor


def _default_shape(config, source):
    """The shape of the images of published weights; without such, that of the model table."""
    if isinstance(source, Tag):
        record = catalog.find(source.model, source.tag)
        return record.image_size, record.image_size, record.channels
    return config.image_size, config.image_size, 3


def build_model(
    trunk: Callable,
    config: typing.Any,
    *,
    include_top: bool,
    weights: str | os.PathLike | None,
    input_tensor: keras.KerasTensor | None,
    input_shape: Sequence[int | None] | None,
    pooling: str | None,
    classes: int | None,
    classifier_activation: str | Callable | None,
    name: str | None,
    features_only: bool,
    warm_start: str | None,
) -> keras.Model:
    """Builds a model: input, the trunk of an architecture, head, weights.

    `trunk(config, inputs)` returns the last map and a dict of the stages' maps. `config` has `name`, `image_size`,
    `classes` and `dropout_rate` beside what the trunk reads. The other arguments are those of `LambdaResNet50`.
    """
    if weights is not None and warm_start is not None:
        raise ValueError(
            f"`weights` and `warm_start` exclude each other. Received: weights={weights!r}, warm_start={warm_start!r}"
        )
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}")
    classes = config.classes if classes is None else classes
    if classes < 1:
        raise ValueError(f"`classes` must be at least 1. Received: classes={classes}")
    # Keras takes Python's integers alone; `int` would cut a fraction off.
    classes = operator.index(classes)
    source = None if weights is None else reference.parse(weights, config.name)
    inputs = _make_input(input_tensor, input_shape, config, source)
    x, features = trunk(config, inputs)
    if features_only:
        x = features
    elif include_top:
        x = keras.layers.GlobalAveragePooling2D(data_format="channels_last", name="average_pool")(x)
        if config.dropout_rate:
            x = keras.layers.Dropout(config.dropout_rate, name="dropout")(x)
        x = keras.layers.Dense(
            classes,
            activation=classifier_activation,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            # Probabilities and losses are not for half precision.
            dtype="float32",
            name="predictions",
        )(x)
    elif pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D(data_format="channels_last", name="average_pool")(x)
    elif pooling == "max":
        x = keras.layers.GlobalMaxPooling2D(data_format="channels_last", name="max_pool")(x)
    sources = keras.utils.get_source_inputs(inputs)
    model = keras.Model(sources[0] if len(sources) == 1 else sources, x, name=name or config.name)
    # A ResNet's configuration alone has it.
    if getattr(config, "remat", None) is not None:
        rematerialize(model, config)
    side, channels = inputs.shape[1], inputs.shape[-1]
    if channels == 3 and side is not None and input_tensor is None:
        # As every model's docstring says; weights that are loaded below may say otherwise.
        remember(model, Preprocessor(image_size=side))
    if source is not None or warm_start is not None:
        _fill(model, source, warm_start)
    return model


def _fill(model, source, warm_start):
    """Loads weights; where the user asked for another head, size or channels than theirs, says what became of them."""
    if warm_start is not None:
        report = resnet_rs.warm_start(model, warm_start)
    else:
        report = loader.fill(model, source, "adapt" if isinstance(source, (Tag, Hub)) else "exact")
    if report.adapted or report.random:
        warnings.warn(str(report), WeightsWarning, stacklevel=_frames_of_this_package() + 1)


def _frames_of_this_package():
    """How many functions of the applications are on the stack above their caller, whose line a warning has to name."""
    frame: types.FrameType | None = sys._getframe(1)
    count = 0
    while frame and frame.f_globals["__name__"].startswith(__package__):
        frame, count = frame.f_back, count + 1
    return count
