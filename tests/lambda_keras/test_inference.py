"""fuse: the numbers of the original, in fewer layers; what must not be fused is not."""

import collections

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.layers import BatchNormalization, FusedLambdaLayer, LambdaLayer
from tests.lambda_keras.small_models import arguments_of_each_kind

# Arguments of the tiny network, and whether its lambda layers hold embeddings: not where convolution is the best order,
# which for the other networks is another one on another CPU (`None`).
TINY = {
    "dropout": ({"dropout_rate": 0.2, "stochastic_depth_rate": 0.2}, True),
    "global": ({"scope_size": None}, True),
    "small scope": ({"scope_size": 3, "input_shape": (64, 64, 3)}, False),
    "intra-depth": ({"intra_depth": 2}, True),
    "unknown size": ({"input_shape": (None, None, 3)}, False),
    "features": ({"features_only": True}, True),
}
# Beside those one network of each kind that is registered.
MODELS = [
    *(pytest.param("lambda_resnet_tiny", *case, id=f"tiny, {option}") for option, case in TINY.items()),
    *(pytest.param(name, arguments, None, id=name) for name, arguments in arguments_of_each_kind().items()),
]


def randomize(model):
    """Gives every batch normalisation statistics, scale and offset that are not neutral, near those of training."""
    rng = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            names = [weight.name for weight in layer.weights]
            low = {"gamma": 0.5, "moving_variance": 0.5, "beta": -0.3, "moving_mean": -0.3}
            high = {"gamma": 1.0, "moving_variance": 2.0, "beta": 0.3, "moving_mean": 0.3}
            layer.set_weights([rng.uniform(low[name], high[name], layer.moving_mean.shape) for name in names])
    return model


def make(name, arguments):
    if not arguments.get("features_only"):
        arguments = {"classifier_activation": None, **arguments}
    return randomize(lk.create_model(name, **arguments))


def images(model, batch=3, seed=0):
    sides = [side or 32 for side in model.input_shape[1:]]
    return np.random.default_rng(seed).normal(size=(batch, *sides)).astype("float32")


def assert_same(model, other, x, tolerance=1e-5):
    for one, two in zip(keras.tree.flatten(model(x)), keras.tree.flatten(other(x)), strict=True):
        one, two = keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(two)
        np.testing.assert_allclose(two, one, rtol=0, atol=tolerance * np.abs(one).max())


def types(model):
    return collections.Counter(type(layer) for layer in model._flatten_layers(include_self=False, recursive=False))


@pytest.mark.parametrize(("name", "arguments", "embeddings"), MODELS)
def test_same_numbers_after_fusing_and_after_reloading(name, arguments, embeddings, tmp_path):
    model = make(name, arguments)
    fused = lk.fuse(model)
    for batch in (1, 3):
        assert_same(model, fused, images(model, batch))
    assert (fused.name, fused.input_shape) == (model.name, model.input_shape)
    # Also the keys of features.
    keras.tree.assert_same_structure(fused.output, model.output)

    counts = types(fused)
    # Nothing can absorb a batch normalisation that follows a lambda layer, as timm's networks have them.
    follow = getattr(lk.applications.get_config(name), "normalize_lambda", False)
    assert counts[BatchNormalization] == (types(model)[LambdaLayer] if follow else 0)
    assert counts[keras.layers.Dropout] == counts[LambdaLayer] == 0
    assert counts[FusedLambdaLayer] == types(model)[LambdaLayer]
    lambdas = [layer for layer in fused.layers if type(layer) is FusedLambdaLayer]
    if embeddings is not None:
        assert all((layer.embeddings_plan is not None) == embeddings for layer in lambdas)

    fused.save(tmp_path / "fused.keras")
    reloaded = keras.models.load_model(tmp_path / "fused.keras")
    assert_same(fused, reloaded, images(model), tolerance=0)
    assert not reloaded.trainable_weights


def test_an_unknown_size_takes_several_sizes():
    model = make("lambda_resnet_tiny", {"input_shape": (None, None, 3)})
    fused = lk.fuse(model)
    rng = np.random.default_rng(0)
    for shape in ((2, 32, 32, 3), (1, 48, 40, 3)):
        # A size is unknown in a graph only, which `predict` makes.
        x = rng.normal(size=shape).astype("float32")
        expected, received = (m.predict(x, verbose=0) for m in (model, fused))
        np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["lambda_resnet_tiny", "lambda_mobilenet_v2"])
def test_fusing_twice_is_fusing_once(name):
    model = make(name, {"input_shape": (32, 32, 3)})
    once = lk.fuse(model)
    twice = lk.fuse(once)
    assert [layer.get_config() for layer in twice.layers] == [layer.get_config() for layer in once.layers]
    for one, two in zip(once.get_weights(), twice.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_number_of_parameters():
    model = make("lambda_resnet_tiny", {"input_shape": (None, None, 3)})
    fused = lk.fuse(model)
    # A batch normalisation has four numbers a channel. The folded ones leave a bias; so do keys, which had none.
    folded = [layer for layer in model._flatten_layers() if isinstance(layer, BatchNormalization)]
    keys = sum(layer.key_dim for layer in model.layers if isinstance(layer, LambdaLayer))
    saved = sum(3 * layer.moving_mean.shape[0] for layer in folded) - keys
    assert fused.count_params() == model.count_params() - saved

    # With a known size, E takes the place of R: here 64 pairs of positions by 64 by key depth.
    with_size = lk.fuse(make("lambda_resnet_tiny", {}))
    tables = sum(layer.position_embedding.count_params() for layer in model.layers if isinstance(layer, LambdaLayer))
    assert with_size.count_params() == fused.count_params() - tables + 2 * 64 * 64 * 16


def test_the_original_stays_as_it_is():
    model = make("lambda_resnet_tiny", {"stochastic_depth_rate": 0.5})
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, weights = images(model), model.get_weights()
    calls = [len(layer._inbound_nodes) for layer in model.layers]
    fused = lk.fuse(model)
    assert not fused.compiled
    assert model.compiled
    assert model.trainable_weights
    assert [len(layer._inbound_nodes) for layer in model.layers] == calls
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not {id(v) for v in model.variables} & {id(v) for v in fused.variables}

    fused_weights, expected = fused.get_weights(), fused.predict(x, verbose=0)
    model.train_on_batch(x, np.arange(3))
    assert any((before != after).any() for before, after in zip(weights, model.get_weights(), strict=True))
    np.testing.assert_array_equal(fused.predict(x, verbose=0), expected)
    for before, after in zip(fused_weights, fused.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


LINEAR = {
    "convolution": ((8, 6, 4), keras.layers.Conv2D, (5, 3), {}),
    "strides and groups": ((8, 6, 4), keras.layers.Conv2D, (6, 3), {"strides": 2, "groups": 2}),
    "with bias": ((8, 6, 4), keras.layers.Conv2D, (5, 3), {"use_bias": True, "bias_initializer": "normal"}),
    "1-D": ((9, 4), keras.layers.Conv1D, (5, 3), {}),
    "3-D": ((4, 5, 3, 2), keras.layers.Conv3D, (5, 3), {}),
    "depthwise": ((8, 6, 4), keras.layers.DepthwiseConv2D, (3,), {}),
    "depthwise, multiplier": ((8, 6, 4), keras.layers.DepthwiseConv2D, (3,), {"depth_multiplier": 3}),
    "dense": ((7,), keras.layers.Dense, (5,), {}),
    "dense on a map": ((8, 6, 4), keras.layers.Dense, (5,), {}),
}


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"epsilon": 0.1}], ids=str)
@pytest.mark.parametrize(("shape", "layer", "positional", "named"), LINEAR.values(), ids=LINEAR)
def test_every_linear_layer_absorbs_a_batch_normalization(shape, layer, positional, named, options):
    inputs = keras.Input(shape)
    x = layer(*positional, **{"use_bias": False, **named})(inputs)
    model = randomize(keras.Model(inputs, keras.layers.BatchNormalization(**options)(x)))
    fused = lk.fuse(model)
    assert len(fused.layers) == 2
    assert_same(model, fused, images(model))


def conv(**arguments):
    return keras.layers.Conv2D(4, 3, padding="same", use_bias=False, **arguments)


def output_used_elsewhere(x):
    y = conv()(x)
    return keras.layers.Add()([y, BatchNormalization()(y)])


def output_of_the_model(x):
    y = conv()(x)
    return [y, BatchNormalization()(y)]


def called_twice(x):
    shared = conv()
    return BatchNormalization()(shared(shared(x)))


def both_called_twice(x):
    shared, batch_norm = conv(), BatchNormalization()
    return batch_norm(shared(batch_norm(shared(x))))


def subclassed(x):
    class Doubled(keras.layers.Conv2D):
        def call(self, inputs):
            return 2 * super().call(inputs)

    return BatchNormalization()(Doubled(4, 3, use_bias=False)(x))


def lora(x):
    return BatchNormalization()(keras.layers.Dense(4, use_bias=False, lora_rank=2)(x))


NOT_FOLDED = {
    "output used elsewhere": output_used_elsewhere,
    "output of the model": output_of_the_model,
    "called twice": called_twice,
    "both called twice": both_called_twice,
    "subclass": subclassed,
    "LoRA": lora,
    "activation": lambda x: BatchNormalization()(conv(activation="relu")(x)),
    "layer between": lambda x: BatchNormalization()(keras.layers.ReLU()(conv()(x))),
    "first layer": lambda x: conv()(BatchNormalization()(x)),
    "another axis": lambda x: keras.layers.BatchNormalization(axis=1)(conv()(x)),
    "another precision": lambda x: BatchNormalization(dtype="mixed_bfloat16")(conv()(x)),
}


@pytest.mark.parametrize("build", NOT_FOLDED.values(), ids=NOT_FOLDED)
def test_what_must_not_be_folded_is_not(build):
    inputs = keras.Input((4, 4, 4))
    model = randomize(keras.Model(inputs, build(inputs)))
    fused = lk.fuse(model)
    assert types(fused) == types(model)
    assert_same(model, fused, images(model))


def test_layers_called_for_training_stay():
    inputs = keras.Input((4, 4, 4))
    x = BatchNormalization()(conv()(inputs), training=True)
    x = LambdaLayer(scope_size=3)(x, training=True)
    x = keras.layers.Dropout(0.5)(x, training=True)
    model = keras.Model(inputs, x)
    assert types(lk.fuse(model)) == types(model)


def test_a_lambda_layer_with_context_or_mask_stays():
    inputs, context = keras.Input((3, 4, 4)), keras.Input((2, 5, 6))
    mask = np.random.default_rng(0).random((12, 12)) < 0.5
    x = LambdaLayer(scope_size=3)(inputs, context=context)
    x = LambdaLayer(scope_size=3)(x, mask=mask)
    x = LambdaLayer(scope_size=3)(x)
    model = randomize(keras.Model([inputs, context], x))
    fused = lk.fuse(model)
    assert types(fused)[LambdaLayer] == 2
    assert types(fused)[FusedLambdaLayer] == 1
    rng = np.random.default_rng(1)
    assert_same(model, fused, [rng.normal(size=(2, *tensor.shape[1:])).astype("float32") for tensor in model.inputs])


def test_a_lambda_layer_called_on_two_sizes_keeps_its_table():
    inputs, shared = keras.Input((6, 6, 4)), LambdaLayer(scope_size=3)
    x = shared(keras.layers.AveragePooling2D(2)(shared(inputs)))
    model = randomize(keras.Model(inputs, x))
    fused = lk.fuse(model)
    assert [layer.embeddings_plan for layer in fused.layers if type(layer) is FusedLambdaLayer] == [None]
    assert_same(model, fused, images(model))


def test_lambda_layers_that_are_not_fused_share_a_table_still():
    inputs = keras.Input((6, 6, 4))
    table = lk.layers.RelativePositionEmbedding(key_dim=8, scope_size=3)
    x = LambdaLayer(key_dim=8, position_embedding=table)(inputs, context=inputs)
    x = LambdaLayer(key_dim=8, position_embedding=table)(x, context=inputs)
    model = randomize(keras.Model(inputs, x))
    fused = lk.fuse(model)
    assert [type(layer) for layer in fused.layers].count(LambdaLayer) == 2
    assert len([weight for weight in fused.weights if weight.path.endswith("table")]) == 1
    assert_same(model, fused, images(model))


def test_lambda_layers_that_share_a_table():
    inputs = keras.Input((6, 6, 4))
    table = lk.layers.RelativePositionEmbedding(key_dim=8, scope_size=None)
    x = LambdaLayer(key_dim=8, position_embedding=table)(inputs)
    model = randomize(keras.Model(inputs, LambdaLayer(key_dim=8, position_embedding=table)(x)))
    fused = lk.fuse(model)
    assert types(fused)[FusedLambdaLayer] == 2
    assert_same(model, fused, images(model))


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_a_network_inside_a_model_is_fused_too(kind, tmp_path):
    network = randomize(lk.create_model("lambda_resnet_tiny", include_top=False, pooling="avg"))
    head = [keras.layers.Dropout(0.5), keras.layers.Dense(3, use_bias=False), keras.layers.BatchNormalization()]
    if kind == "sequential":
        model = keras.Sequential([keras.Input((32, 32, 3)), network, *head])
    else:
        inputs = keras.Input((32, 32, 3))
        x = network(inputs, training=False)
        for layer in head:
            x = layer(x)
        model = keras.Model(inputs, x)
    fused = lk.fuse(randomize(model))
    assert [type(layer).__name__ for layer in fused.layers] == ["InputLayer", "Functional", "Dense"]
    assert types(fused.layers[1])[FusedLambdaLayer] == 2
    assert_same(model, fused, images(model))
    fused.save(tmp_path / "fused.keras")
    assert_same(fused, keras.models.load_model(tmp_path / "fused.keras"), images(model), tolerance=0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_stays_and_differs_by_its_rounding(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = make("lambda_resnet_tiny", {})
    finally:
        keras.config.set_dtype_policy("float32")
    fused = lk.fuse(model)
    assert types(fused)[BatchNormalization] == 0
    layer = fused.get_layer("c4_block2_lambda")
    assert (layer.compute_dtype, layer.kernel.dtype) == (policy.removeprefix("mixed_"), "float32")
    assert_same(model, fused, images(model), tolerance=0.05)


def test_multiply_adds_are_those_of_the_original_layers():
    model = make("lambda_resnet_tiny", {})
    assert lk.count_multiply_adds(lk.fuse(model)) == lk.count_multiply_adds(model)


class _Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


class _OwnCall(keras.Model):
    def call(self, inputs):
        return 2 * super().call(inputs)


def test_a_model_without_a_graph_is_refused():
    inputs = keras.Input((3,))
    own_call = _OwnCall(inputs, keras.layers.Dense(2)(inputs))
    for model in (_Subclassed(), own_call, keras.Sequential([keras.layers.Dense(2)]), keras.layers.Dense(2)):
        with pytest.raises(ValueError, match="functional or a built Sequential"):
            lk.fuse(model)
