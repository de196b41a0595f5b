"""Weights: what was published, files of every format, and models to share."""

import importlib
import typing

if typing.TYPE_CHECKING:
    from lambda_keras.weights.errors import WeightsError, WeightsWarning
    from lambda_keras.weights.formats.resnet_rs import warm_start
    from lambda_keras.weights.formats.timm import export_to_timm
    from lambda_keras.weights.loader import load_weights
    from lambda_keras.weights.preprocessor import Preprocessor
    from lambda_keras.weights.pretrained import from_pretrained, save_pretrained
    from lambda_keras.weights.report import LoadReport

__all__ = [
    "LoadReport",
    "Preprocessor",
    "WeightsError",
    "WeightsWarning",
    "export_to_timm",
    "from_pretrained",
    "load_weights",
    "save_pretrained",
    "warm_start",
]

# Imported when they are asked for, as all of `lambda_keras`: the catalog is read without Keras.
_HOMES = {
    "LoadReport": "report",
    "Preprocessor": "preprocessor",
    "WeightsError": "errors",
    "WeightsWarning": "errors",
    "export_to_timm": "formats.timm",
    "from_pretrained": "pretrained",
    "load_weights": "loader",
    "save_pretrained": "pretrained",
    "warm_start": "formats.resnet_rs",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
