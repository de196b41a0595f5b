"""What the builders of all architectures share: convolutions, inputs, head and the arguments around them."""

import sys

import keras

from lambda_keras.layers import BatchNormalization

ARGUMENTS = """
    Args:
        include_top: Whether the model ends in a classifier.
        weights: `None` (random); `"imagenet"` or a tag of published weights; `"hf://owner/repository[@revision]"`; or a
            path: a `.safetensors`, `.weights.h5` or `.keras` file, a folder of `save_pretrained` or the prefix of a
            TensorFlow checkpoint. Published weights follow the model: with other classes the classifier stays random,
            with another image size global position tables are resized, with other channels the first convolution is
            adapted, and what was done is printed on stderr. A file must fit exactly.
        input_tensor: A Keras tensor to use as the input.
        input_shape: `(height, width, channels)`; by default that of the published weights, or the size in the model
            table and 3 channels. `(None, None, 3)` takes any size where the scope is local, at the price of the faster
            orders of contraction.
        pooling: Without the top: `None` for the last feature map, `"avg"` or `"max"` for a vector.
        classes: Number of classes; by default 1000, and 10 for `lambda_resnet_tiny`.
        classifier_activation: Activation of the classifier; `None` returns logits.
        name: Name of the model; by default the registry's.
        features_only: Return the maps of the stages, a dict with keys `"c2"` to `"c5"`, instead of a prediction.
        warm_start: `None` or `"resnet_rs"`: all but the lambda layers starts from the ResNet-RS of the same depth,
            which was trained on ImageNet. That is no pretrained lambda model; see `lambda_keras.warm_start`.
        **overrides: Fields of the configuration that differ, such as `key_dim`, `num_heads`, `intra_depth`,
            `scope_size`, `stochastic_depth_rate` or `dropout_rate`.

    Returns:
        A functional `keras.Model`. It takes images `[batch, height, width, channels]` as
        `lambda_keras.preprocess_input` returns them; its output is float32 `[batch, classes]` with the top.

    Raises:
        ValueError: An argument is unknown or does not fit, or the weights cannot be had or do not fit (`WeightsError`).
        FileNotFoundError: The weights file does not exist.
"""


class Blocks:
    """Makes the layers that a configuration's blocks repeat, with its normalisation and activation.

    Args:
        config: A configuration with `activation`, `batch_norm_momentum` and `batch_norm_epsilon`.
    """

    def __init__(self, config):
        self.config = config

    def convolution(self, x, filters, kernel_size, strides=1, *, name):
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

    def depthwise_convolution(self, x, kernel_size, strides=1, *, name):
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

    def normalize(self, x, *, name, gamma="ones", activate=True):
        """Batch normalisation, and the activation unless told otherwise."""
        x = BatchNormalization(
            momentum=self.config.batch_norm_momentum,
            epsilon=self.config.batch_norm_epsilon,
            gamma_initializer=gamma,
            name=f"{name}_bn",
        )(x)
        return self.activate(x, name=name) if activate else x

    def activate(self, x, *, name):
        """The configuration's activation."""
        return keras.layers.Activation(self.config.activation, name=f"{name}_{self.config.activation}")(x)

    @staticmethod
    def _pad(x, kernel_size, strides, name):
        if strides == 1:
            return x
        # "same" padding of a strided convolution depends on the parity of the image; this does not.
        padding = keras.layers.ZeroPadding2D(kernel_size // 2, data_format="channels_last", name=f"{name}_pad")
        return padding(x)


def _make_input(input_tensor, input_shape, config, weights):
    """The input of a model: the tensor given, or a new one of the shape given or of the default shape."""
    if input_shape is not None and (len(input_shape) != 3 or input_shape[-1] is None):
        raise ValueError(
            f"`input_shape` must be (height, width, channels) with known channels. Received: input_shape={input_shape}"
        )
    if input_tensor is None:
        return keras.Input(tuple(input_shape or _default_shape(config, weights)), name="image")
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


def _default_shape(config, weights):
    """The shape of the images of published weights; without such, that of the model table."""
    # Most models are built without weights, and `lambda_keras.weights` imports this module's neighbours.
    if weights is not None:
        from lambda_keras.weights import loader

        if loader.is_tag(weights):
            record = loader.find_record(weights, config.name)
            return record.image_size, record.image_size, record.channels
    return config.image_size, config.image_size, 3


def build_model(
    trunk,
    config,
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=None,
    classifier_activation="softmax",
    name=None,
    features_only=False,
    warm_start=None,
):
    """Builds a model: input, the trunk of an architecture, head, weights.

    `trunk(config, inputs)` returns the last map and a dict of the stages' maps. `config` has `name`, `image_size`,
    `classes` and `dropout_rate` beside what the trunk reads. The other arguments are those of `LambdaResNet50`.
    """
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}")
    classes = config.classes if classes is None else classes
    if classes < 1:
        raise ValueError(f"`classes` must be at least 1. Received: classes={classes}")
    inputs = _make_input(input_tensor, input_shape, config, weights)
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
    if weights is not None or warm_start is not None:
        _fill(model, weights, warm_start, config.name)
    return model


def _fill(model, weights, warm_start, architecture):
    """Loads weights; where the user asked for another head, size or channels than theirs, says what became of them."""
    if weights is not None and warm_start is not None:
        raise ValueError(
            f"`weights` and `warm_start` exclude each other. Received: weights={weights!r}, warm_start={warm_start!r}"
        )
    # Most models are built without weights, and `lambda_keras.weights` imports this module's neighbours.
    from lambda_keras.weights import loader
    from lambda_keras.weights.formats import resnet_rs

    if warm_start is not None:
        report = resnet_rs.warm_start(model, warm_start)
    else:
        published = loader.is_published(weights)
        report = loader.load_weights(model, weights, adapt=published, architecture=architecture)
    if report.adapted or report.random:
        print(report, file=sys.stderr)
