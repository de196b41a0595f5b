"""The registry: `create_model` by name, `list_models`, and the keras.applications-style functions."""

import dataclasses
import difflib
import fnmatch
import inspect

from lambda_keras.applications.building import ARGUMENTS

# name: (builder, configuration). The modules of the architectures fill it.
_MODELS = {}


def register(builder, configs):
    """Adds configurations to the registry.

    Args:
        builder: Function that takes a configuration and the arguments of `keras.applications`.
        configs: Frozen dataclasses with a `name`.
    """
    for config in configs:
        _MODELS[config.name] = (builder, config)


def list_models(filter="*", pretrained=False):
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
    if not pretrained:
        return names
    # Not above: it imports this module.
    from lambda_keras.weights import catalog

    return [name for name in names if catalog.tags(name)]


def get_config(name):
    """The configuration of a registered model.

    Raises:
        ValueError: No model has this name; the message has the nearest ones.
    """
    return _find(name)[1]


def create_model(model, /, **arguments):
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
    builder, config = _find(model)
    return _build(builder, config, arguments)


def model_function(builder, config, python_name, module, summary):
    """A keras.applications-style function for one configuration."""
    parameters = [
        parameter.replace(default=config.classes) if parameter.name == "classes" else parameter
        for parameter in list(inspect.signature(builder).parameters.values())[1:]
    ]
    overrides = inspect.Parameter("overrides", inspect.Parameter.VAR_KEYWORD)
    signature = inspect.Signature([*parameters, overrides])

    def function(*args, **kwargs):
        arguments = dict(signature.bind(*args, **kwargs).arguments)
        overrides = arguments.pop("overrides", {})
        return _build(builder, config, {**arguments, **overrides})

    function.__signature__ = signature
    function.__name__ = function.__qualname__ = python_name
    function.__module__ = module
    function.__doc__ = summary + "\n" + ARGUMENTS
    return function


def _find(name):
    if name not in _MODELS:
        near = difflib.get_close_matches(str(name), _MODELS, n=5, cutoff=0.4)
        raise ValueError(
            f"There is no model {name!r}. Nearest names: {', '.join(near) or 'none'}. "
            "`lambda_keras.list_models()` has all of them."
        )
    return _MODELS[name]


def _build(builder, config, arguments):
    """Splits arguments into those of the builder and fields of the configuration, and builds."""
    allowed = list(inspect.signature(builder).parameters)[1:]
    fields = [field.name for field in dataclasses.fields(config) if field.name not in allowed]
    for argument in arguments:
        if argument not in (*allowed, *fields):
            near = difflib.get_close_matches(argument, (*allowed, *fields), n=3, cutoff=0.5)
            raise ValueError(
                f"{config.name} has no argument {argument!r}. Nearest: {', '.join(near) or 'none'}. It takes "
                f"{', '.join((*allowed, *fields))}."
            )
    overrides = {key: value for key, value in arguments.items() if key in fields}
    config = dataclasses.replace(config, **overrides)
    return builder(config, **{key: value for key, value in arguments.items() if key in allowed})
