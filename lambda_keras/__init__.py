"""LambdaNetworks for Keras 3: the lambda layer, the LambdaResNet family and what goes with them."""

import importlib
import itertools
import pathlib
import sys
import typing

from lambda_keras.version import __version__

if typing.TYPE_CHECKING:
    from lambda_keras import applications, explain, layers, weights
    from lambda_keras.applications import *
    from lambda_keras.inference import fuse
    from lambda_keras.multiply_adds import count_multiply_adds
    from lambda_keras.weights import export_to_timm, from_pretrained, load_weights, save_pretrained, warm_start

__all__ = [
    "LambdaMobileNetV2",
    "LambdaResNet26RPT256",
    "LambdaResNet26T",
    "LambdaResNet50",
    "LambdaResNet50C4",
    "LambdaResNet50TS",
    "LambdaResNet101",
    "LambdaResNet101C4",
    "LambdaResNet152",
    "LambdaResNet152C4",
    "LambdaResNet200",
    "LambdaResNet200C4",
    "LambdaResNet270",
    "LambdaResNet270C4",
    "LambdaResNet350",
    "LambdaResNet350C4",
    "LambdaResNet420",
    "LambdaResNet420C4",
    "LambdaResNetTiny",
    "MobileNetV2",
    "ResNetRS50",
    "ResNetRS101",
    "ResNetRS152",
    "ResNetRS200",
    "ResNetRS270",
    "ResNetRS350",
    "ResNetRS420",
    "__version__",
    "applications",
    "count_multiply_adds",
    "create_model",
    "decode_predictions",
    "explain",
    "export_to_timm",
    "from_pretrained",
    "fuse",
    "layers",
    "list_models",
    "load_weights",
    "preprocess_input",
    "preprocessor_of",
    "save_pretrained",
    "warm_start",
    "weights",
]

# Public names are imported when they are asked for: Keras takes seconds to import, and `lambda-zoo --help`, whose code
# is in this package, needs none of it. These have another home than `lambda_keras.applications`.
_HOMES = {
    "count_multiply_adds": "lambda_keras.multiply_adds",
    "export_to_timm": "lambda_keras.weights",
    "from_pretrained": "lambda_keras.weights",
    "fuse": "lambda_keras.inference",
    "load_weights": "lambda_keras.weights",
    "save_pretrained": "lambda_keras.weights",
    "warm_start": "lambda_keras.weights",
}
_MODULES = ("applications", "explain", "layers", "weights")
_COMMANDS = {"lambda-zoo": "lambda_keras.zoo", "lambda-export": "lambda_keras.export"}


def __getattr__(name: str) -> typing.Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(_HOMES.get(name, "lambda_keras.applications")), name)


def __dir__() -> list[str]:
    return __all__


def _runs_a_command() -> bool:
    """Whether this process is `lambda-zoo`, `lambda-export`, or `python -m` of their packages."""
    if pathlib.Path(sys.argv[0]).stem in _COMMANDS:
        return True
    return any(("-m", module) == pair for module in _COMMANDS.values() for pair in itertools.pairwise(sys.orig_argv))


if not _runs_a_command():
    # Keras finds a layer in the file of a model only if it was registered, which `import lambda_keras` has to do.
    importlib.import_module("lambda_keras.layers")
