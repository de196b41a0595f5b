"""Layers of LambdaNetworks and of the networks that hold them."""

from lambda_keras.layers.attention import GlobalSelfAttention
from lambda_keras.layers.axial_attention import AxialSelfAttention
from lambda_keras.layers.batch_normalization import BatchNormalization
from lambda_keras.layers.fused_lambda_layer import FusedLambdaLayer
from lambda_keras.layers.lambda_layer import LambdaLayer
from lambda_keras.layers.local_attention import LocalSelfAttention
from lambda_keras.layers.preprocessing import Preprocessing
from lambda_keras.layers.relative_position import RelativePositionEmbedding
from lambda_keras.layers.squeeze_excitation import SqueezeExcitation

__all__ = [
    "AxialSelfAttention",
    "BatchNormalization",
    "FusedLambdaLayer",
    "GlobalSelfAttention",
    "LambdaLayer",
    "LocalSelfAttention",
    "Preprocessing",
    "RelativePositionEmbedding",
    "SqueezeExcitation",
]
