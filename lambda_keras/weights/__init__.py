"""Weights: what was published, files of every format, and models to share."""

from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats.resnet_rs import warm_start
from lambda_keras.weights.formats.timm import export_to_timm
from lambda_keras.weights.loader import load_weights, preprocessor_of
from lambda_keras.weights.preprocessor import Preprocessor
from lambda_keras.weights.pretrained import from_pretrained, save_pretrained
from lambda_keras.weights.report import LoadReport

__all__ = [
    "LoadReport",
    "Preprocessor",
    "WeightsError",
    "export_to_timm",
    "from_pretrained",
    "load_weights",
    "preprocessor_of",
    "save_pretrained",
    "warm_start",
]
