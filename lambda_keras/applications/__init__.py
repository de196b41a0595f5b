"""Models in the manner of `keras.applications`."""

import importlib
import typing

from lambda_keras.applications.lambda_resnet import (
    LambdaResNet50,
    LambdaResNet50C4,
    LambdaResNet101,
    LambdaResNet101C4,
    LambdaResNet152,
    LambdaResNet152C4,
    LambdaResNet200,
    LambdaResNet200C4,
    LambdaResNet270,
    LambdaResNet270C4,
    LambdaResNet350,
    LambdaResNet350C4,
    LambdaResNet420,
    LambdaResNet420C4,
    LambdaResNetTiny,
    ResNetRS50,
    ResNetRS101,
    ResNetRS152,
    ResNetRS200,
    ResNetRS270,
    ResNetRS350,
    ResNetRS420,
)
from lambda_keras.applications.mobilenet_v2 import LambdaMobileNetV2, MobileNetV2
from lambda_keras.applications.registry import create_model, get_config, list_models
from lambda_keras.applications.timm_lambda_resnet import LambdaResNet26RPT256, LambdaResNet26T, LambdaResNet50TS

if typing.TYPE_CHECKING:
    from lambda_keras.applications.imagenet import decode_predictions
    from lambda_keras.applications.preprocessing import preprocess_input, preprocessor_of

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
    "create_model",
    "decode_predictions",
    "get_config",
    "list_models",
    "preprocess_input",
    "preprocessor_of",
]

# These import Keras, and so are imported when they are asked for: the registry is read without it.
_HOMES = {
    "decode_predictions": "imagenet",
    "preprocess_input": "preprocessing",
    "preprocessor_of": "preprocessing",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
