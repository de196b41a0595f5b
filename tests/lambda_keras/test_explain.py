"""Interaction maps against the NumPy transcription of the layer: weights times values are its output, exactly."""

import gc
import itertools
import weakref

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras import explain
from lambda_keras.layers import LambdaLayer
from tests.lambda_keras.layers import reference
from tests.lambda_keras.layers.small_layers import OPTIONS, make_layer, random_inputs

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


def check(found, values, expected, tolerance=1e-9):
    """The weights and V as the equations have it give the output at the query; so does what the map holds itself."""
    weights = (found.content + found.position).reshape(len(found.content), -1)
    sums = weights @ values.reshape(weights.shape[1], -1) + found.bias[:, None]
    np.testing.assert_allclose(sums.ravel(), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found.output, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_the_map_times_the_values_is_the_output_of_every_query(options, masked):
    (image,) = random_inputs(1, 3, 4, 8)
    layer = make_layer(image[None], **options)
    mask = np.random.default_rng(2).random((12, 12)) < 0.6 if masked else None
    if masked:
        mask[7] = False  # a query that sees nothing
    model, values = model_of(layer, image, mask=mask), reference_values(layer, image)
    (expected,) = reference.lambda_layer(layer, image[None], mask=mask)
    for query in itertools.product(range(3), range(4)):
        found = explain.interaction_map(model, image, layer, query)
        check(found, values, expected[query])
        assert found.content.shape == found.position.shape == (layer.num_heads, 3, 4, layer.intra_depth)
        assert layer.use_position_bias or not found.bias.any()


def test_padding_has_no_share():
    (image,) = random_inputs(1, 3, 4, 8)
    layer = make_layer(image[None], use_position_bias=True)
    exists = np.arange(4) < np.array([[3], [3], [2]])
    model = model_of(layer, image, context_mask=exists[None])
    (expected,) = reference.lambda_layer(layer, image[None], mask=np.tile(exists.reshape(1, 12), (12, 1)))
    for query in ((0, 0), (2, 1)):
        found = explain.interaction_map(model, image, layer, query)
        np.testing.assert_allclose(found.output, expected[query], rtol=1e-5, atol=1e-5)
        assert not found.total[:, ~exists].any()


def test_padding_that_comes_with_the_inputs_has_no_share():
    inputs = keras.Input((5, 8))
    model = keras.Model(inputs, LambdaLayer(name="here")(keras.layers.Masking()(inputs)))
    sequence = random_inputs(5, 8).astype("float32")
    sequence[3:] = 0.0
    found = explain.interaction_map(model, sequence, "here", (1,))
    assert not found.total[:, 3:].any()
    np.testing.assert_allclose(found.output, model.predict(sequence[None], verbose=0)[0, 1], atol=1e-5)


@pytest.mark.parametrize("scope_size", [None, 3], ids=["global", "local"])
@pytest.mark.parametrize(("grid", "context_grid"), [((3, 2), (5, 4)), ((7,), (4,)), ((2, 3, 2), (2, 3, 2))])
def test_other_ranks_and_another_context(grid, context_grid, scope_size):
    (image,) = random_inputs(1, *grid, 8)
    context = random_inputs(1, *context_grid, 8, seed=3)
    layer = make_layer(image[None], context, scope_size=scope_size)
    model, values = model_of(layer, image, context=context), reference_values(layer, context[0])
    (expected,) = reference.lambda_layer(layer, image[None], context)
    for query in np.ndindex(grid):
        check(explain.interaction_map(model, image, layer, query), values, expected[query])


def test_many_queries_are_as_one_after_the_other():
    model = lk.create_model("lambda_resnet_tiny")
    (image,) = random_inputs(1, 32, 32, 3)
    queries = [(0, 0), (3, 7)]
    for found, query in zip(explain.interaction_maps(model, image, "c5_block1_lambda", queries), queries, strict=True):
        alone = explain.interaction_map(model, image, "c5_block1_lambda", query)
        assert found.query == alone.query == query
        np.testing.assert_array_equal(found.total, alone.total)


def test_the_network_runs_as_a_graph(layers_run_eagerly):
    model = lk.create_model("lambda_resnet_tiny")
    (image,) = random_inputs(1, 32, 32, 3)
    layers_run_eagerly.clear()
    explain.interaction_map(model, image, "c5_block1_lambda", (0, 0))
    assert layers_run_eagerly == [False]


def test_changed_weights_are_seen_and_no_model_is_kept_alive():
    (image,) = random_inputs(1, 3, 4, 8)
    layer, first = make_layer(image[None], scope_size=3), keras.layers.Dense(8, use_bias=False, dtype="float64")
    inputs = keras.Input(image.shape, dtype="float64")
    model = keras.Model(inputs, layer(first(inputs)))
    for factor in (1, 2):
        first.kernel.assign(factor * np.eye(8))
        (expected,) = reference.lambda_layer(layer, factor * image[None])
        found = explain.interaction_map(model, image, layer, (1, 2))
        check(found, reference_values(layer, factor * image), expected[1, 2])
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


def test_a_model_without_lambda_layers_is_said_to_have_none():
    model = lk.create_model("lambda_resnet_tiny", interaction="local", scope_size=3)
    with pytest.raises(ValueError, match="has no lambda layers; other layers, such as attention, are not explained"):
        explain.interaction_map(model, np.zeros((32, 32, 3)), "c5_block1_attention", (0, 0))


def test_content_and_position_are_apart():
    (image,) = random_inputs(1, 5, 6, 8)
    both = make_layer(image[None], scope_size=3, num_heads=2, use_batch_norm=False)
    found = explain.interaction_map(model_of(both, image), image, both, (2, 4))
    query = (image[2, 4] @ both.query_projection.get_weights()[0]).reshape(2, 4)
    keys = reference.normalized_keys(image.reshape(30, 8) @ both.key_projection.get_weights()[0], "softmax")
    np.testing.assert_allclose(found.content, (query @ keys.T).reshape(2, 5, 6, 1), atol=1e-12)
    expected = np.zeros((2, 5, 6, 1))
    table = both.position_embedding.get_weights()[0][..., 0]
    expected[:, 1:4, 3:6, 0] = np.einsum("hk,yxk->hyx", query, table)  # the scope round the query
    np.testing.assert_allclose(found.position, expected, atol=1e-12)
    np.testing.assert_array_equal(found.total, found.content + found.position)


@pytest.fixture(scope="module")
def models():
    """Networks whose every weight matters, by name; position biases, strided blocks, other sides than squares."""
    keras.utils.set_random_seed(0)
    arguments = {"batch_norm_momentum": 0.0}
    made = {
        "tiny": lk.create_model("lambda_resnet_tiny", **arguments),
        "any size": lk.create_model("lambda_resnet_tiny", input_shape=(None, None, 3), **arguments),
        "26t": lk.create_model("lambda_resnet26t", input_shape=(64, 64, 3), stage_widths=(8, 8, 16, 16), **arguments),
    }
    random = np.random.default_rng(0)
    for model in made.values():
        for variable in model.variables:
            if variable.name in ("gamma", "beta", "position_bias"):
                variable.assign(random.uniform(0.5, 1.5, variable.shape))
        side = model.input_shape[1] or 32
        model(random.normal(size=(4, side, side, 3)), training=True)  # the statistics of real activations
    return made


@pytest.mark.parametrize(("name", "size"), [("tiny", (32, 32)), ("any size", (24, 40)), ("26t", (64, 64))])
def test_every_lambda_layer_of_a_network(models, name, size):
    model = models[name]
    (image,) = random_inputs(1, *size, 3).astype("float32")
    layers = explain.lambda_layers(model)
    assert len(layers) == {"tiny": 2, "any size": 2, "26t": 3}[name]
    for layer in layers:
        output = keras.Model(model.inputs, layer.output).predict(image[None], verbose=0)[0]
        assert explain.map_size(model, image, layer) == output.shape[:-1]
        for query in ((0, 0), (1, output.shape[1] - 1)):
            found = explain.interaction_map(model, image, layer.name, query)
            assert (found.layer, found.query) == (layer.name, query)
            largest = np.abs(output).max()
            assert 0.1 < largest < 1e4
            np.testing.assert_allclose(found.output / largest, output[query] / largest, atol=1e-5)


def test_a_fused_network(models):
    (image,) = random_inputs(1, 24, 40, 3).astype("float32")
    fused = lk.fuse(models["any size"])
    for name in ("c4_block2_lambda", "c5_block1_lambda"):
        expected = explain.interaction_map(models["any size"], image, name, (2, 3))
        found = explain.interaction_map(fused, image, name, (2, 3))
        np.testing.assert_allclose(found.total, expected.total, rtol=1e-3, atol=1e-4 * np.abs(expected.total).max())
    with pytest.raises(ValueError, match=r"c5_block1_lambda holds .* Explain the model before `fuse`"):
        explain.interaction_map(lk.fuse(models["tiny"]), image, "c5_block1_lambda", (0, 0))


@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_float16", 1e-3), ("mixed_bfloat16", 2e-2)])
def test_half_precision_gives_float32(policy, tolerance):
    (image,) = random_inputs(1, 3, 4, 8).astype("float32")
    layer = make_layer(image[None], dtype=policy, scope_size=3, use_position_bias=True)
    model = model_of(layer, image)
    found = explain.interaction_map(model, image, layer, (1, 2))
    assert found.content.dtype == found.position.dtype == found.values.dtype == found.bias.dtype == "float32"
    expected = model.predict(image[None], verbose=0)[0, 1, 2].astype("float32")
    np.testing.assert_allclose(found.output, expected, atol=tolerance * np.abs(expected).max())


def test_a_sequential_model():
    (image,) = random_inputs(1, 3, 4, 8)
    layer = make_layer(image[None])
    model = keras.Sequential([keras.Input(image.shape, dtype="float64"), layer, keras.layers.Flatten()])
    expected = reference.lambda_layer(layer, image[None])[0, 2, 1]
    check(explain.interaction_map(model, image, layer, (2, 1)), reference_values(layer, image), expected)


def test_the_layers_of_models_inside_a_model(models):
    trunk = models["tiny"]
    outer = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.UpSampling2D(2), trunk], name="outer")
    assert explain.lambda_layers(outer) == explain.lambda_layers(trunk)
    image = np.random.default_rng(0).normal(size=(16, 16, 3)).astype("float32")
    inner_image = image.repeat(2, axis=0).repeat(2, axis=1)
    for name in ("c4_block2_lambda", "c5_block1_lambda"):
        found = explain.interaction_map(outer, image, name, (2, 5))
        expected = explain.interaction_map(trunk, inner_image, name, (2, 5))
        np.testing.assert_allclose(found.total, expected.total, rtol=1e-4, atol=1e-5 * np.abs(expected.total).max())
        np.testing.assert_allclose(found.output, expected.output, rtol=1e-4, atol=1e-5)
    assert explain.map_size(outer, image, name) == (8, 8)
    assert explain.query_at_pixel(outer, image, name, (15, 0)) == (7, 0)


def test_layers_with_one_name_are_explained_in_their_own_models():
    layers = [LambdaLayer(name="mixer"), LambdaLayer(name="mixer")]
    parts = [keras.Sequential([keras.Input((4, 4, 8)), layer]) for layer in layers]
    model = keras.Sequential([keras.Input((4, 4, 8)), *parts])
    assert explain.lambda_layers(model) == layers
    with pytest.raises(ValueError, match="has 2 lambda layers named mixer: give the layer itself"):
        explain.map_size(model, np.zeros((4, 4, 8)), "mixer")
    with pytest.raises(ValueError, match=r"mixer is inside a model of .* explain that model itself"):
        explain.map_size(model, np.zeros((4, 4, 8)), layers[1])
    assert explain.map_size(parts[1], np.zeros((4, 4, 8)), layers[1]) == (4, 4)


@pytest.mark.parametrize(("pixel", "query"), [((0, 0), (0, 0)), ((23, 39), (5, 9)), ((11, 12), (2, 3))])
def test_the_query_at_a_pixel(models, pixel, query):
    # Stem and c2 keep the size, c3 and c4 halve it.
    image = np.zeros((24, 40, 3))
    assert explain.query_at_pixel(models["any size"], image, "c5_block1_lambda", pixel) == query


@pytest.mark.parametrize("query", [(8, 0), (0, -1), (0,), (0, 0, 0), (0.5, 0), 3, "ab", None])
def test_a_query_outside_is_refused_with_the_size_of_the_map(models, query):
    with pytest.raises(ValueError, match=r"in the map of c5_block1_lambda, .* sides \(8, 8\)\. Received: query="):
        explain.interaction_map(models["tiny"], np.zeros((32, 32, 3)), "c5_block1_lambda", query)


def test_a_pixel_outside_is_refused_with_the_size_of_the_image(models):
    with pytest.raises(ValueError, match=r"in an image, .* sides \(32, 32\)\. Received: pixel=\(32, 0\)"):
        explain.query_at_pixel(models["tiny"], np.zeros((32, 32, 3)), "c5_block1_lambda", (32, 0))


def test_another_layer_is_refused_with_the_names_of_those_allowed(models):
    for layer in ("c5_block1_conv1", LambdaLayer(), None):
        with pytest.raises(ValueError, match=r"one of \['c4_block2_lambda', 'c5_block1_lambda'\]\. Received: layer="):
            explain.interaction_map(models["tiny"], np.zeros((32, 32, 3)), layer, (0, 0))


def test_what_has_no_single_call_to_explain_is_refused():
    x, other = keras.Input((4, 4, 8)), keras.Input((4, 4, 8))
    layer = LambdaLayer(name="mixer")
    with pytest.raises(ValueError, match="mixer is called 2 times"):
        explain.map_size(keras.Model(x, layer(layer(x))), np.zeros((4, 4, 8)), "mixer")
    two_inputs = keras.Model([x, other], LambdaLayer(name="one")(x, context=other))
    with pytest.raises(ValueError, match="with one input"):
        explain.map_size(two_inputs, np.zeros((4, 4, 8)), "one")
