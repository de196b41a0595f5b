"""Global, local and axial self-attention against NumPy transcriptions of their equations, and what each refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.layers import AxialSelfAttention, GlobalSelfAttention, LocalSelfAttention, RelativePositionEmbedding
from tests.lambda_keras.layers.attention_reference import axial_attention, self_attention

KINDS = {"global": GlobalSelfAttention, "local": LocalSelfAttention, "axial": AxialSelfAttention}
SMALL = {"filters": 6, "num_heads": 3, "key_dim": 4, "dtype": "float64"}
RNG = np.random.default_rng(0)
IMAGES, SEQUENCES, VOLUMES = (RNG.normal(size=(2, *shape)) for shape in ((5, 4, 8), (7, 8), (3, 2, 4, 8)))
OPTIONS = {
    "images": ({}, IMAGES),
    "sequences": ({}, SEQUENCES),
    "volumes": ({}, VOLUMES),
    "positions within a scope": ({"scope_size": 3}, IMAGES),
    "a scope for each axis": ({"scope_size": (3, 5)}, IMAGES),
    "a scope past the edge": ({"scope_size": 15}, IMAGES),
    "default depths": ({"filters": None, "num_heads": 4, "key_dim": None}, IMAGES),
}


def made(kind, inputs, context=None, **arguments):
    """A built layer whose weights all matter."""
    layer = KINDS[kind](**{**SMALL, **arguments})
    layer.build(*(x.shape for x in (inputs, context) if x is not None))
    layer.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in layer.get_weights()])
    return layer


def window_of(layer, inputs):
    """The window of a local attention, a side for each axis."""
    if not isinstance(layer, LocalSelfAttention):
        return None
    return np.broadcast_to(layer.scope_size, inputs.ndim - 2)


@pytest.mark.parametrize(("arguments", "inputs"), OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_the_equations(kind, arguments, inputs):
    layer = made(kind, inputs, **arguments)
    if kind == "axial":
        expected = axial_attention(layer, inputs)
    else:
        expected = self_attention(layer, inputs, window=window_of(layer, inputs))
    output = layer(inputs)
    np.testing.assert_allclose(output, expected, atol=1e-10)
    assert output.shape == layer.compute_output_shape(inputs.shape)


@pytest.mark.parametrize("as_grids", [False, True])
@pytest.mark.parametrize("kind", ["global", "local"])
def test_masks_equal_the_equations(kind, as_grids):
    mask = np.random.default_rng(2).random((20, 20)) < 0.5
    mask[3] = False  # It sees nothing.
    layer = made(kind, IMAGES)
    expected = self_attention(layer, IMAGES, mask=mask, window=window_of(layer, IMAGES))
    output = layer(IMAGES, mask=mask.reshape(5, 4, 5, 4) if as_grids else mask)
    np.testing.assert_allclose(output, expected, atol=1e-10)
    assert not np.asarray(output)[:, 0, 3].any()


@pytest.mark.parametrize(("kind", "grid"), [("global", (3, 6)), ("local", (5, 4))])
def test_a_context_of_its_own_equals_the_equations(kind, grid):
    context = np.random.default_rng(2).normal(size=(2, *grid, 7))
    layer = made(kind, IMAGES, context)
    expected = self_attention(layer, IMAGES, context, window=window_of(layer, IMAGES))
    np.testing.assert_allclose(layer(IMAGES, context=context), expected, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16", "float16"])
def test_half_precision_is_near(kind, policy):
    exact = made(kind, IMAGES)
    layer = KINDS[kind](**{**SMALL, "dtype": policy})
    layer.build(IMAGES.shape)
    layer.set_weights([0.3 * weight for weight in exact.get_weights()])
    exact.set_weights([0.3 * weight for weight in exact.get_weights()])
    output = layer(IMAGES)
    assert output.dtype == layer.compute_dtype
    np.testing.assert_allclose(keras.ops.cast(output, "float32"), exact(IMAGES), atol=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_large_values_of_float16_stay_finite(kind):
    layer = KINDS[kind](filters=8, num_heads=2, dtype="mixed_float16")
    output = layer(np.full((1, 4, 4, 8), 1000.0, "float32"))
    assert np.isfinite(output).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_unknown_batch_saves_clones_and_learns(kind, tmp_path):
    inputs = keras.Input((6, 4, 8))
    model = keras.Sequential([inputs, KINDS[kind](filters=6, num_heads=3, kernel_initializer="he_normal")])
    x = RNG.normal(size=(3, 6, 4, 8)).astype("float32")
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x, training=True) ** 2)
    for gradient in tape.gradient(loss, [v.value for v in model.trainable_variables]):
        assert float(tf.reduce_max(tf.abs(gradient))) > 0


@pytest.mark.parametrize("kind", ["global", "local"])
def test_a_shared_table_is_one_in_a_file_and_in_a_clone(kind, tmp_path):
    shared = RelativePositionEmbedding(key_dim=2, scope_size=5)
    x = inputs = keras.Input((6, 4, 8))
    for number in (1, 2):
        x = KINDS[kind](num_heads=4, position_embedding=shared, name=f"attention{number}")(x)
    model = keras.Model(inputs, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    first, second = loaded.layers[1:]
    assert first.position_embedding is second.position_embedding
    images = RNG.normal(size=(2, 6, 4, 8)).astype("float32")
    np.testing.assert_array_equal(loaded(images), model(images))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(images), model(images))
    assert clone.count_params() == model.count_params()
    # Both layers of the clone see another table, and the original does not.
    before, (first, second) = model(images), clone.layers[1:]
    first.position_embedding.table.assign(RNG.normal(size=(5, 5, 2, 1)))
    assert second.position_embedding is first.position_embedding
    between = self_attention(first, images, window=window_of(first, images))
    expected = self_attention(second, between, window=window_of(second, between))
    np.testing.assert_allclose(clone(images), expected, atol=1e-5)
    np.testing.assert_array_equal(model(images), before)


def test_fused_models_keep_attention():
    inputs = keras.Input((6, 4, 8))
    x = keras.layers.Conv2D(8, 1, use_bias=False)(inputs)
    x = lk.layers.BatchNormalization()(x)
    for layer in KINDS.values():
        x = layer(num_heads=4)(x)
    model = keras.Model(inputs, x)
    images = RNG.normal(size=(2, 6, 4, 8)).astype("float32")
    np.testing.assert_allclose(lk.fuse(model)(images), model(images), atol=1e-5)


def test_quantised_models_save(tmp_path):
    inputs = keras.Input((6, 4, 8))
    x = inputs
    for layer in KINDS.values():
        x = layer(num_heads=4)(x)
    model = keras.Model(inputs, x)
    model.quantize("int8")
    model.save(tmp_path / "model.keras")
    images = RNG.normal(size=(2, 6, 4, 8)).astype("float32")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(images), model(images))


def test_multiply_adds():
    # By hand, 6×4 positions, 8 channels, 6 filters, 3 heads of key depth 4.
    projections = 24 * 8 * (12 + 12 + 6)
    shape = (None, 6, 4, 8)
    assert made("global", np.zeros((1, 6, 4, 8))).multiply_adds(shape) == projections + 24 * 24 * (12 + 12 + 6)
    assert made("local", np.zeros((1, 6, 4, 8))).multiply_adds(shape) == projections + 24 * 49 * (12 + 12 + 6)
    second = 24 * 6 * (12 + 12 + 6)
    along = 24 * (6 + 4) * (12 + 12 + 6)
    assert made("axial", np.zeros((1, 6, 4, 8))).multiply_adds(shape) == projections + second + along


BAD = {
    "unknown size": ("global", {}, lambda layer: layer(keras.Input((None, None, 8))), "inputs of known size"),
    "local without a window": ("local", {"scope_size": None}, None, "GlobalSelfAttention sees all positions"),
    "even window": ("local", {"scope_size": 4}, None, "odd"),
    "heads": ("axial", {"filters": 7}, None, "multiple of `num_heads`"),
    "no heads": ("axial", {"num_heads": 0}, None, "at least 1"),
    "context of axial": ("axial", {}, lambda layer: layer(IMAGES, context=IMAGES), "neither a context nor a mask"),
    "mask of axial": ("axial", {}, lambda layer: layer(IMAGES, mask=np.ones((20, 20))), "Use GlobalSelfAttention"),
    "mask": ("global", {}, lambda layer: layer(IMAGES, mask=np.ones((3, 3))), r"`mask` of .* must have shape"),
    "context on another grid": (
        "local",
        {},
        lambda layer: layer(IMAGES, context=IMAGES[:, :3]),
        "a context on the grid of its inputs",
    ),
    "table of another depth": (
        "global",
        {"position_embedding": RelativePositionEmbedding(key_dim=5)},
        lambda layer: layer(IMAGES),
        "must have the layer's key_dim",
    ),
}


def make_and_call(kind, arguments, call):
    layer = KINDS[kind](**{**SMALL, **arguments})
    call(layer)


@pytest.mark.parametrize(("kind", "arguments", "call", "message"), BAD.values(), ids=BAD)
def test_bad_input_gets_a_clear_error(kind, arguments, call, message):
    with pytest.raises(ValueError, match=message):
        make_and_call(kind, arguments, call)
