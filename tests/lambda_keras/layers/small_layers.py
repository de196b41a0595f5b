"""Small lambda layers that tests share: with each of the options, and inputs for them."""

import keras
import numpy as np

from lambda_keras.layers import LambdaLayer


def random_inputs(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(scale=scale, size=shape)


def make_layer(inputs, context=None, dtype="float64", **arguments):
    """A built layer with random BatchNorm parameters, so that none of them is neutral."""
    layer = LambdaLayer(**{"filters": 6, "num_heads": 3, "key_dim": 4, "dtype": dtype, **arguments})
    shapes = [inputs.shape] if context is None else [inputs.shape, context.shape]
    layer.build(*shapes)
    rng = np.random.default_rng(1)
    layer.set_weights([w + 0.3 * rng.random(w.shape).astype(w.dtype) for w in layer.get_weights()])
    return layer


def output(layer, *arguments, **named):
    return keras.ops.convert_to_numpy(layer(*arguments, **named))


OPTIONS = {
    "default": {},
    "local": {"scope_size": 3},
    "global": {"scope_size": None},
    "scope per axis": {"scope_size": (5, 3)},
    "scope past the edge": {"scope_size": 31},
    "intra-depth": {"scope_size": 3, "intra_depth": 2},
    "intra-depth, global": {"scope_size": None, "intra_depth": 3},
    "position bias": {"scope_size": 3, "use_position_bias": True, "intra_depth": 2},
    "content only": {"use_position": False},
    "position only": {"use_content": False},
    "l2 keys": {"key_normalization": "l2"},
    "plain keys": {"key_normalization": "none"},
    "query softmax": {"query_softmax": True},
    "no batch norm": {"use_batch_norm": False},
    "one head": {"num_heads": 1},
    "default width": {"filters": None, "num_heads": 2},
}
