"""The registry: `create_model` by name, `list_models`, and the keras.applications-style functions.

Keras is imported when a model is built: the names and configurations are read without it.
"""

import dataclasses
import difflib
import fnmatch
import importlib
import inspect
import os
import typing
from collections.abc import Callable, Iterable, Sequence

from lambda_keras.weights import catalog

if typing.TYPE_CHECKING:
    import keras

ARGUMENTS = """
    Args:
        include_top: Whether the model ends in a classifier.
        weights: `None` (random); `"imagenet"` or a tag of published weights; `"hf://owner/repository[@revision]"`; or a
            path: a `.safetensors`, `.weights.h5` or `.keras` file, a folder of `save_pretrained` or the prefix of a
            TensorFlow checkpoint. Published weights follow the model: with other classes the classifier stays random,
            with another image size global position tables are resized, with other channels the first convolution is
            adapted, and a `WeightsWarning` says what was done. A file must fit exactly.
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
        ValueError: An argument is unknown or does not fit, or the weights are unavailable or do not fit
            (`WeightsError`).
        FileNotFoundError: The weights file does not exist.
"""


# What other libraries call an argument, and how it is given here.
_ELSEWHERE = {
    "num_classes": "classes",
    "num_labels": "classes",
    "pretrained": "weights='imagenet'",
    "drop_rate": "dropout_rate",
    "drop_path_rate": "stochastic_depth_rate",
    "global_pool": "pooling",
    "img_size": "input_shape=(height, width, channels)",
    "in_chans": "input_shape=(height, width, channels)",
}


class _Registered(typing.NamedTuple):
    """A model: its configuration, and the function that builds it."""

    config: typing.Any
    function: Callable


# By name. The modules of the architectures fill it.
_MODELS: dict[str, _Registered] = {}


def register(module: str, configs: Iterable) -> None:
    """Adds configurations to the registry.

    Args:
        module: Name of the module whose `trunk` builds their layers; it is imported with the first model.
        configs: Frozen dataclasses with a `name`.
    """
    for config in configs:
        _MODELS[config.name] = _Registered(config, _make_function(module, config))


def model_function(name: str, python_name: str, module: str, summary: str) -> Callable[..., "keras.Model"]:
    """The keras.applications-style function of a registered model, with a Python name and a docstring.

    Args:
        name: The model's name.
        python_name: The function's name.
        module: Name of the module that has it.
        summary: First line of the docstring; the arguments follow.
    """
    function = _find(name).function
    function.__name__ = function.__qualname__ = python_name
    function.__module__ = module
    function.__doc__ = summary + "\n" + ARGUMENTS
    return function


def list_models(filter: str = "*", pretrained: bool = False) -> list[str]:
    """Names of the models that `create_model` makes, in the order of the registry.

    Args:
        filter: A shell pattern.
        pretrained: Whether to leave out the models of which no weights are published.

    Example:
        >>> lk.list_models("lambda_resnet*_c4")[0]
        'lambda_resnet50_c4'
        >>> lk.list_models(pretrained=True)
        ['lambda_resnet26t', 'lambda_resnet26rpt_256', 'lambda_resnet50ts']
    """
    names = fnmatch.filter(_MODELS, filter)
    return [name for name in names if catalog.tags(name)] if pretrained else names


def get_config(name: str) -> typing.Any:
    """The configuration of a registered model.

    Raises:
        ValueError: No model has this name; the message has the nearest ones.
    """
    return _find(name).config


def create_model(model: str, /, **arguments: typing.Any) -> "keras.Model":
    """Makes a registered model.

    Args:
        model: A name of `list_models()`.
        **arguments: Those of `LambdaResNet50` and of all others: `include_top`, `weights`, `input_tensor`,
            `input_shape`, `pooling`, `classes`, `classifier_activation`, `name`, `features_only`, and any field of
            the configuration: `key_dim`, `num_heads`, `intra_depth`, `scope_size`, `stochastic_depth_rate`,
            `dropout_rate`, …

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: The name or an argument is unknown; the message has the nearest ones.

    Example:
        >>> model = lk.create_model("lambda_resnet50", input_shape=(224, 224, 3), classes=10, dropout_rate=0.2)
    """
    return _find(model).function(**arguments)


def _find(name: str) -> _Registered:
    if name not in _MODELS:
        near = difflib.get_close_matches(str(name), _MODELS, n=5, cutoff=0.4)
        raise ValueError(
            f"There is no model {name!r}. Nearest names: {', '.join(near) or 'none'}. "
            "`lambda_keras.list_models()` has all of them."
        )
    return _MODELS[name]


def _make_function(module: str, config: typing.Any) -> Callable[..., "keras.Model"]:
    """The function that builds a model, all of whose arguments are optional."""

    def function(
        include_top: bool = True,
        weights: str | os.PathLike | None = None,
        input_tensor: "keras.KerasTensor | None" = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int | None = config.classes,
        classifier_activation: str | Callable | None = "softmax",
        name: str | None = None,
        features_only: bool = False,
        warm_start: str | None = None,
        **overrides: typing.Any,
    ) -> "keras.Model":
        changed = _with_overrides(config, overrides, tuple(inspect.signature(function).parameters)[:-1])
        # Not above: it imports Keras.
        from lambda_keras.applications.building import build_model

        return build_model(
            importlib.import_module(module).trunk,
            changed,
            include_top=include_top,
            weights=weights,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
            name=name,
            features_only=features_only,
            warm_start=warm_start,
        )

    return function


def _with_overrides(config, overrides, others):
    """The configuration with other values; `others` are the arguments that are no fields of it."""
    allowed = (*others, *(field.name for field in dataclasses.fields(config) if field.name not in others))
    for argument in overrides:
        if argument in _ELSEWHERE:
            raise ValueError(f"{config.name} has no argument {argument!r}; use {_ELSEWHERE[argument]}.")
        if argument not in allowed:
            near = difflib.get_close_matches(argument, allowed, n=3, cutoff=0.5)
            raise ValueError(
                f"{config.name} has no argument {argument!r}. Nearest: {', '.join(near) or 'none'}. It takes "
                f"{', '.join(allowed)}."
            )
    return dataclasses.replace(config, **overrides)
