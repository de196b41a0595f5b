"""Interaction maps against the NumPy transcription of the layer: weights times values are its output, exactly."""

import itertools

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras import explain
from lambda_keras.layers import LambdaLayer
from tests.lambda_keras.layers import reference
from tests.lambda_keras.layers.test_lambda_layer import OPTIONS, make_layer, random_inputs

BACKENDS = ["tensorflow", *(pytest.param(name, marks=pytest.mark.backends) for name in ("jax", "torch"))]
GRID = (3, 4)
CASES = {
    **OPTIONS,
    "intra-depth 4, local": {"scope_size": 3, "intra_depth": 4},
    "intra-depth 4, global": {"scope_size": None, "intra_depth": 4},
}


def model_of(layer, image, **arguments):
    inputs = keras.Input(image.shape, dtype=layer.compute_dtype)
    return keras.Model(inputs, layer(inputs, **arguments))


def reference_values(layer, context):
    """V as the equations have it, [*grid, u, v], for one context."""
    values = np.asarray(context, "float64") @ np.asarray(layer.value_projection.get_weights()[0], "float64")
    if layer.use_batch_norm:
        weights = [np.asarray(weight, "float64") for weight in layer.value_batch_norm.get_weights()]
        values = reference.batch_norm(values, weights, layer.batch_norm_epsilon, training=False)
    return values.reshape(*values.shape[:-1], layer.intra_depth, layer.value_dim)


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_the_map_times_the_values_is_the_output_of_every_query(options, masked):
    (image,) = random_inputs(1, *GRID, 8)
    layer = make_layer(image[None], **options)
    mask = np.random.default_rng(2).random((12, 12)) < 0.6 if masked else None
    if masked:
        mask[7] = False  # a query that sees nothing
    model = model_of(layer, image, mask=mask)
    values = reference_values(layer, image)
    (expected,) = reference.lambda_layer(layer, image[None], mask=mask)
    for query in itertools.product(*map(range, GRID)):
        found = explain.interaction_map(model, image, layer, query)
        sums = np.einsum("hyxu,yxuv->hv", found.content + found.position, values) + found.bias[:, None]
        np.testing.assert_allclose(sums.ravel(), expected[query], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.output, expected[query], rtol=1e-9, atol=1e-9)
        assert layer.use_position_bias or not found.bias.any()
