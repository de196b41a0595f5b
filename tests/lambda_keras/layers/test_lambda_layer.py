"""LambdaLayer against a NumPy transcription of the paper's equations, and its invariants."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_keras.layers import LambdaLayer, RelativePositionEmbedding
from lambda_keras.layers.contraction_plan import ORDERS
from tests.lambda_keras.layers import reference
from tests.lambda_keras.layers.small_layers import OPTIONS, make_layer, output, random_inputs

SAVED = [
    *OPTIONS.values(),
    {"scope_size": (3, 5), "implementation": "lambda_first"},
    {"kernel_initializer": "he_normal", "kernel_regularizer": keras.regularizers.L2(0.1)},
]


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_equals_the_equations(options, masked, training):
    x = random_inputs(2, 4, 5, 8)
    layer = make_layer(x, **options)
    mask = np.random.default_rng(2).random((20, 20)) < 0.6 if masked else None
    # The expectation first: a training call moves the statistics.
    expected = reference.lambda_layer(layer, x, mask=mask, training=training)
    np.testing.assert_allclose(output(layer, x, mask=mask, training=training), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scope_size", [None, 3], ids=["global", "local"])
@pytest.mark.parametrize(
    ("order", "grid"),
    # Keras has no 3-D depthwise convolution.
    [
        *itertools.product(ORDERS[:3], [(7,), (3, 6), (2, 3, 4)]),
        *itertools.product(ORDERS[3:], [(7,), (3, 6)]),
    ],
)
def test_every_order_and_rank_equals_the_equations(order, grid, scope_size):
    x = random_inputs(2, *grid, 5)
    layer = make_layer(x, scope_size=scope_size, intra_depth=2, implementation=order)
    np.testing.assert_allclose(output(layer, x), reference.lambda_layer(layer, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize("scope_size", [None, 3], ids=["global", "local"])
@pytest.mark.parametrize(("grid", "context_grid"), [((3, 4), (5, 2)), ((3,), (8,)), ((6, 2), (1, 1))])
def test_another_context(grid, context_grid, scope_size, masked):
    x, context = random_inputs(2, *grid, 8), random_inputs(2, *context_grid, 5, seed=3)
    layer = make_layer(x, context, scope_size=scope_size)
    mask = np.random.default_rng(4).random((*grid, *context_grid)) < 0.6 if masked else None
    expected = reference.lambda_layer(layer, x, context, mask)
    np.testing.assert_allclose(output(layer, x, context=context, mask=mask), expected, rtol=1e-9, atol=1e-9)


def test_content_only_takes_a_context_of_another_rank():
    x, context = random_inputs(2, 3, 4, 8), random_inputs(2, 9, 5)
    layer = make_layer(x, context, use_position=False)
    np.testing.assert_allclose(output(layer, x, context), reference.lambda_layer(layer, x, context), atol=1e-9)


@pytest.mark.parametrize("options", [{"scope_size": 3}, {"scope_size": None, "intra_depth": 2}], ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
def test_gradients_equal_finite_differences(options, masked):
    x = random_inputs(2, 3, 4, 8)
    layer = make_layer(x, **options)
    mask = np.random.default_rng(2).random((12, 12)) < 0.6 if masked else None
    rng = np.random.default_rng(5)
    weights = layer.get_weights()
    trained = [any(w is t for t in layer.trainable_variables) for w in layer.weights]
    weight_steps = [rng.normal(size=w.shape) if t else np.zeros(w.shape) for w, t in zip(weights, trained, strict=True)]
    input_step, out_step = rng.normal(size=x.shape), rng.normal(size=(2, 3, 4, 6))

    def loss_at(step):
        layer.set_weights([w + step * d for w, d in zip(weights, weight_steps, strict=True)])
        return float((out_step * reference.lambda_layer(layer, x + step * input_step, mask=mask, training=True)).sum())

    layer.set_weights(weights)
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(out_step * layer(inputs, mask=mask, training=True))
    input_gradient, *gradients = tape.gradient(loss, [inputs, *(v.value for v in layer.trainable_variables)])
    steps = [step for step, t in zip(weight_steps, trained, strict=True) if t]
    directional = float(tf.reduce_sum(input_gradient * input_step))
    directional += sum(float(tf.reduce_sum(g * d)) for g, d in zip(gradients, steps, strict=True))
    expected = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5
    assert directional == pytest.approx(expected, rel=1e-6)


def test_shifting_all_keys_of_a_channel_changes_nothing():
    x = random_inputs(1, 4, 4, 8)
    x[..., 0] = 1.0  # a channel through which a weight adds the same to the keys of all positions
    layer = make_layer(x)
    before = output(layer, x)
    kernel = layer.key_projection.get_weights()[0]
    kernel[0] += random_inputs(kernel.shape[1], seed=6)
    layer.key_projection.set_weights([kernel])
    np.testing.assert_allclose(output(layer, x), before, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), length=st.integers(2, 9))
def test_content_ignores_the_order_of_the_context(seed, length):
    x, context = random_inputs(1, 3, 4, seed=seed), random_inputs(1, length, 4, seed=seed + 1)
    layer = make_layer(x, context, use_position=False)
    order = np.random.default_rng(seed).permutation(length)
    np.testing.assert_allclose(output(layer, x, context[:, order]), output(layer, x, context), atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(-2, 2), columns=st.integers(-2, 2), scope=st.sampled_from([1, 3, 5]), seed=st.integers(0, 99))
def test_positions_are_translation_equivariant(rows, columns, scope, seed):
    x = np.zeros((1, 13, 13, 4))
    x[:, 4:9, 4:9] = random_inputs(1, 5, 5, 4, seed=seed)
    # An object far enough from the edges that its scope stays inside when it moves.
    layer = make_layer(x, use_content=False, scope_size=scope, use_batch_norm=False)
    moved = output(layer, np.roll(x, (rows, columns), axis=(1, 2)))
    np.testing.assert_allclose(moved, np.roll(output(layer, x), (rows, columns), axis=(1, 2)), atol=1e-12)


def test_a_global_layer_is_a_local_one_whose_scope_reaches_every_position():
    x = random_inputs(2, 4, 6, 8)
    everywhere = make_layer(x, scope_size=None)
    for scope, inside in (((7, 11), (slice(None), slice(None))), ((9, 15), (slice(1, 8), slice(2, 13)))):
        local = make_layer(x, scope_size=scope)
        weights = everywhere.get_weights()
        index = next(i for i, w in enumerate(everywhere.weights) if w.name == "table")
        table = random_inputs(*scope, 4, 1)
        table[inside] = weights[index]
        weights[index] = table
        local.set_weights(weights)
        np.testing.assert_allclose(output(local, x), output(everywhere, x), atol=1e-12)


def test_more_intra_depth_of_zeros_changes_nothing():
    x = random_inputs(2, 4, 5, 8)
    one = make_layer(x, scope_size=3, use_batch_norm=False)
    two = make_layer(x, scope_size=3, use_batch_norm=False, intra_depth=2)
    padded = []
    for weight, value in zip(two.weights, one.get_weights(), strict=True):
        axis = -1 if weight.path.endswith("table") or "kernel" in weight.path else 0
        missing = list(value.shape)
        missing[axis] = weight.shape[axis] - value.shape[axis]
        padded.append(np.concatenate([value, np.zeros(missing)], axis=axis))
    two.set_weights(padded)
    np.testing.assert_allclose(output(two, x), output(one, x), atol=1e-12)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("scope_size", [None, 7])
@pytest.mark.parametrize("training", [False, True])
def test_half_precision_survives_large_inputs(policy, scope_size, training):
    x = random_inputs(2, 14, 14, 32, scale=100.0).astype("float32")
    layer = LambdaLayer(scope_size=scope_size, dtype=policy)
    for mask in (None, np.tril(np.ones((196, 196)))):
        y = layer(x, mask=mask, training=training)
        assert keras.backend.standardize_dtype(y.dtype) == policy.removeprefix("mixed_")
        assert not np.isnan(keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))).any()
    assert all(w.dtype == "float32" for w in layer.weights)


@pytest.mark.parametrize(
    ("policy", "bound"), [("mixed_float16", 2e-3), ("mixed_bfloat16", 2e-2), ("float16", 2e-3), ("bfloat16", 2e-2)]
)
def test_half_precision_is_near_float32(policy, bound):
    x = random_inputs(2, 7, 7, 32).astype("float32")
    layer, exact = LambdaLayer(dtype=policy), LambdaLayer()
    half = layer(x, training=True)
    assert all(weight.dtype == layer.variable_dtype for weight in layer.weights)
    exact.build(x.shape)
    exact.set_weights(layer.get_weights())
    expected = output(exact, x, training=True)
    half = keras.ops.convert_to_numpy(keras.ops.cast(half, "float32"))
    assert np.linalg.norm(half - expected) < bound * np.linalg.norm(expected)


@pytest.mark.parametrize("scope_size", [None, 3])
def test_xla_gives_the_same_numbers(scope_size):
    x = tf.constant(random_inputs(2, 5, 6, 8))
    layer = make_layer(x, scope_size=scope_size)
    for options in ({}, {"mask": np.tril(np.ones((30, 30)))}):
        compiled = tf.function(lambda x, options=options: layer(x, **options), jit_compile=True)
        np.testing.assert_allclose(compiled(x).numpy(), output(layer, x, **options), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", SAVED, ids=lambda options: ", ".join(options) or "defaults")
def test_saves_and_reloads(options, tmp_path):
    inputs = keras.Input((4, 5, 8))
    model = keras.Model(inputs, LambdaLayer(**{"filters": 6, "num_heads": 3, "name": "here", **options})(inputs))
    x = random_inputs(3, 4, 5, 8).astype("float32")
    expected = model.predict(x, verbose=0)

    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded.predict(x, verbose=0), expected)
    assert reloaded.get_layer("here").get_config() == model.get_layer("here").get_config()

    model.save_weights(tmp_path / "model.weights.h5")
    again = keras.models.clone_model(model)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), expected)


def test_functional_shapes_equal_eager_shapes():
    for options in ({"filters": 12}, {"filters": None}):
        for grid in ((5,), (4, 5), (2, 3, 4)):
            layer = LambdaLayer(num_heads=2, scope_size=3, **options)
            symbolic = layer(keras.Input((*grid, 8)))
            assert symbolic.shape == (None, *layer(np.ones((2, *grid, 8))).shape[1:])
            assert layer.compute_output_shape((None, *grid, 8)) == symbolic.shape


def test_a_functional_model_takes_context_and_mask():
    x, context = keras.Input((4, 8)), keras.Input((6, 5))
    mask = np.arange(24).reshape(4, 6) % 3 > 0
    layer = LambdaLayer(filters=8)
    model = keras.Model([x, context], layer(x, context=context, mask=mask))
    arrays = [random_inputs(2, 4, 8).astype("float32"), random_inputs(2, 6, 5).astype("float32")]
    np.testing.assert_allclose(
        model.predict(arrays, verbose=0), reference.lambda_layer(layer, *arrays, mask=mask), atol=1e-4
    )


def test_unknown_height_and_width_where_the_scope_is_local():
    inputs = keras.Input((None, None, 8))
    layer = LambdaLayer(filters=6, num_heads=3, scope_size=5)
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, 6)
    for height, width in ((4, 7), (9, 3)):
        x = random_inputs(2, height, width, 8).astype("float32")
        np.testing.assert_allclose(model.predict(x, verbose=0), reference.lambda_layer(layer, x), atol=1e-4)


def test_initial_deviations_are_the_papers():
    layer = LambdaLayer(filters=1024, num_heads=4, key_dim=256, intra_depth=4, scope_size=23)
    layer.build((None, 14, 14, 64))
    table, query, key, value = (
        w.numpy().std()
        for w in (
            layer.position_embedding.table,
            layer.query_projection.kernel,
            layer.key_projection.kernel,
            layer.value_projection.kernel,
        )
    )
    assert table == pytest.approx(1, rel=0.02)
    assert query == pytest.approx((64 * 256) ** -0.5, rel=0.02)
    assert key == pytest.approx(64**-0.5, rel=0.02)
    assert value == pytest.approx(64**-0.5, rel=0.02)


def test_an_initializer_draws_anew_for_each_projection():
    def weights(**arguments):
        keras.utils.set_random_seed(1)
        layer = LambdaLayer(filters=8, num_heads=2, key_dim=4, **arguments)
        layer.build((None, 5, 5, 8))
        return [layer.query_projection.kernel, layer.key_projection.kernel, layer.value_projection.kernel]

    normal = keras.initializers.RandomNormal(stddev=3.0)
    for initializer in ("he_normal", keras.initializers.serialize(normal), normal):
        query, key, value = (np.asarray(kernel) for kernel in weights(kernel_initializer=initializer))
        assert key.shape == value.shape
        assert not np.allclose(key, value)
        assert not np.allclose(key, query[:, : key.shape[1]])
    assert np.std(np.asarray(weights(kernel_initializer=normal)[0])) == pytest.approx(3, rel=0.4)
    assert all(np.all(np.asarray(kernel) == 0) for kernel in weights(kernel_initializer="zeros"))


def test_a_regularizer_sees_the_three_kernels():
    layer = LambdaLayer(kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.5))
    layer(np.ones((1, 3, 3, 8)))
    count = sum(kernel.shape[0] * kernel.shape[1] for kernel in (w for w in layer.weights if w.name == "kernel"))
    assert sum(map(float, layer.losses)) == pytest.approx(0.5 * count)


def test_a_config_from_before_initializers_makes_the_same_layer():
    layer = LambdaLayer(num_heads=2, name="here")
    config = layer.get_config()
    for key in ("kernel_initializer", "kernel_regularizer"):
        del config[key]
    assert LambdaLayer.from_config(config).get_config() == layer.get_config()


BAD = {
    "even scope": (lambda: LambdaLayer(scope_size=8), "odd"),
    "scope of zero": (lambda: LambdaLayer(scope_size=0), "odd"),
    "heads": (lambda: LambdaLayer(filters=10, num_heads=4), "multiple of `num_heads`"),
    "heads of the input": (lambda: LambdaLayer()(np.ones((1, 3, 3, 10))), "multiple of `num_heads`"),
    "no heads": (lambda: LambdaLayer(num_heads=0), "at least 1"),
    "no number": (lambda: LambdaLayer(key_dim="16"), "an integer"),
    "no depth": (lambda: LambdaLayer(key_dim=0), "at least 1"),
    "rank": (lambda: LambdaLayer()(np.ones((2, 8))), r"\[batch, length, channels\]"),
    "scopes": (lambda: LambdaLayer(scope_size=(3, 3, 3))(np.ones((1, 4, 4, 8))), "one for each axis"),
    "mask": (lambda: LambdaLayer()(np.ones((1, 4, 8)), mask=np.ones((4, 5))), r"\[n, m\] = \(4, 4\)"),
    "masks": (lambda: LambdaLayer()(np.ones((2, 4, 8)), mask=np.ones((3, 4, 4))), r"behind a batch axis, \[2, n, m\]"),
    "padding": (
        lambda: LambdaLayer()(np.ones((2, 4, 8)), context_mask=np.ones((2, 5))),
        r"\[batch, \*context_grid\] = \(2, 4\)",
    ),
    "masks of lambda-first": (
        lambda: LambdaLayer(implementation="lambda_first")(np.ones((2, 4, 8)), mask=np.ones((2, 4, 4))),
        "'auto' or 'query_first'",
    ),
    "keys": (lambda: LambdaLayer(key_normalization="sum"), "softmax"),
    "order": (lambda: LambdaLayer(implementation="einsum"), "query_first"),
    "nothing": (lambda: LambdaLayer(use_content=False, use_position=False), "both be False"),
    "size": (lambda: LambdaLayer(scope_size=None)(keras.Input((None, None, 8))), "known size"),
    "masked convolution": (
        lambda: LambdaLayer(implementation="convolution")(np.ones((1, 4, 8)), mask=np.ones((4, 4))),
        "neither a mask",
    ),
    "context rank": (lambda: LambdaLayer()(np.ones((1, 4, 8)), np.ones((1, 2, 2, 8))), "inputs' rank"),
    "shared depth": (
        lambda: LambdaLayer(key_dim=8, position_embedding=RelativePositionEmbedding(key_dim=16)),
        "key_dim=16",
    ),
    "shared without use": (
        lambda: LambdaLayer(use_position=False, position_embedding=RelativePositionEmbedding(key_dim=16)),
        "use_position=True",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_bad_input_gets_a_clear_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_another_size_than_a_global_layer_was_built_for_is_refused():
    layer = LambdaLayer(scope_size=None)
    layer.build((None, 4, 4, 8))
    with pytest.raises(ValueError, match="global scope"):
        layer(np.ones((1, 5, 5, 8)))


def test_integers_of_numpy_are_integers():
    one, two, three, four = np.arange(1, 5)
    layer = LambdaLayer(filters=four, num_heads=two, key_dim=three, intra_depth=one, scope_size=three)
    inputs = keras.Input((4, 4, 8))
    model = keras.Model(inputs, layer(inputs))
    assert keras.models.model_from_json(model.to_json()).count_params() == model.count_params()


@pytest.mark.parametrize(("implementation", "rank"), [("depthwise_convolution", 3), ("convolution", 4)])
def test_a_convolution_on_too_many_axes_is_refused(implementation, rank):
    layer = LambdaLayer(scope_size=3, implementation=implementation)
    with pytest.raises(ValueError, match=rf"takes up to {rank - 1} axes between batch and channels"):
        layer(keras.Input((3,) * rank + (8,)))


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match=r"needs at least one example\. Received: inputs\.shape=\(0, 4, 4, 8\)"):
        LambdaLayer()(np.zeros((0, 4, 4, 8), "float32"))
