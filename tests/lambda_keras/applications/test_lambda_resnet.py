"""The paper's networks: parameter counts of the literature, places of the lambda layers, shapes, saving."""

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.layers import LambdaLayer, SqueezeExcitation


def trainable(model):
    """Parameters as the paper counts them: without BatchNorm's moving statistics."""
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.parametrize(
    ("name", "overrides", "millions"),
    [
        # LambdaNetworks (arXiv 2102.08602): the family, its baselines with and without squeeze-and-excitation.
        ("lambda_resnet101", {}, 36.9),
        ("lambda_resnet152", {}, 51.4),
        ("resnet_rs101", {}, 63.6),
        ("resnet_rs101_no_se", {}, 44.6),
        ("resnet_rs152", {}, 86.6),
        ("resnet_rs152_no_se", {}, 60.2),
        # Its ResNet-50 with lambda layers everywhere, and two rows of the ablation of k, h and u.
        ("resnet50_cccc", {}, 25.6),
        ("resnet50_llll", {}, 15.0),
        ("resnet50_llll", {"key_dim": 32}, 15.4),
        ("resnet50_llll", {"intra_depth": 4, "scope_size": 7}, 16.0),
    ],
)
def test_parameter_counts_of_the_paper(name, overrides, millions):
    assert round(trainable(lk.create_model(name, **overrides)) / 1e6, 1) == millions


def test_exact_parameter_counts_of_known_networks():
    # torchvision's resnet50, and keras.applications' MobileNetV2 built beside ours.
    assert trainable(lk.create_model("resnet50_cccc")) == 25_557_032
    assert lk.create_model("mobilenet_v2").count_params() == keras.applications.MobileNetV2(weights=None).count_params()


def lambda_blocks(model):
    return [layer.name.removesuffix("_lambda") for layer in model.layers if isinstance(layer, LambdaLayer)]


def test_lambda_layers_stand_where_the_paper_puts_them():
    model = lk.LambdaResNet50(input_shape=(64, 64, 3))
    assert lambda_blocks(model) == ["c4_block3", "c5_block1", "c5_block2", "c5_block3"]
    gated = [layer.name.split("_")[0] for layer in model.layers if isinstance(layer, SqueezeExcitation)]
    assert gated == ["c2"] * 3 + ["c3"] * 4
    model = lk.LambdaResNet50C4(input_shape=(64, 64, 3))
    assert lambda_blocks(model) == [f"c4_block{i}" for i in range(1, 7)] + [f"c5_block{i}" for i in range(1, 4)]


# Paper, appendix: blocks of c2 to c5, lambda blocks of c4.
FAMILY = {
    50: ((3, 4, 6, 3), (3,)),
    101: ((3, 4, 23, 3), (6, 12, 18)),
    152: ((3, 8, 36, 3), (5, 10, 15, 20, 25, 30)),
    200: ((3, 24, 36, 3), (5, 10, 15, 20, 25, 30)),
    270: ((4, 29, 53, 4), (8, 16, 24, 32, 40, 48)),
    350: ((4, 36, 72, 4), (10, 20, 30, 40, 50, 60)),
    420: ((4, 44, 87, 4), (10, 20, 30, 40, 50, 60, 70, 80)),
}


@pytest.mark.parametrize("depth", FAMILY)
def test_configurations_of_the_family(depth):
    blocks, c4 = FAMILY[depth]
    c5 = tuple(range(1, blocks[3] + 1))
    hybrid, whole = (lk.applications.get_config(f"lambda_resnet{depth}{form}") for form in ("", "_c4"))
    assert (hybrid.blocks, hybrid.lambda_blocks) == (blocks, ((), (), c4, c5))
    assert (whole.blocks, whole.lambda_blocks) == (blocks, ((), (), tuple(range(1, blocks[2] + 1)), c5))
    assert hybrid.squeeze_excitation_stages == whole.squeeze_excitation_stages == ("c2", "c3")
    # 3 convolutions a block, and 2 more layers: how residual networks are named. The family rounds the deep ones.
    assert abs(3 * sum(blocks) + 2 - depth) <= 3
    for name, stages in ((f"resnet_rs{depth}", ("c2", "c3", "c4", "c5")), (f"resnet_rs{depth}_no_se", ())):
        baseline = lk.applications.get_config(name)
        assert (baseline.blocks, baseline.squeeze_excitation_stages) == (blocks, stages)
        assert baseline.lambda_blocks == ((), (), (), ())


@pytest.mark.parametrize("pattern", ["cccc", "cccl", "ccll", "clll", "llll", "lccc", "llcc", "lllc"])
def test_hybrids_hold_lambda_layers_in_the_stages_they_name(pattern):
    config = lk.applications.get_config(f"resnet50_{pattern}")
    assert [bool(blocks) for blocks in config.lambda_blocks] == [letter == "l" for letter in pattern]


@pytest.fixture(scope="module")
def tiny():
    keras.utils.set_random_seed(0)
    return lk.create_model("lambda_resnet_tiny")


def test_tiny_is_tiny(tiny):
    assert tiny.count_params() < 120_000
    assert tiny.input_shape == (None, 32, 32, 3)
    assert tiny.output_shape == (None, 10)


@pytest.mark.parametrize(
    "name", ["lambda_resnet50", "lambda_resnet50_c4", "resnet_rs50", "resnet50_llll", "resnet50_cccl"]
)
def test_stage_maps_have_the_strides_and_widths_of_a_resnet(name):
    maps = lk.create_model(name, input_shape=(96, 64, 3), features_only=True).output
    assert {stage: tuple(x.shape[1:]) for stage, x in maps.items()} == {
        "c2": (24, 16, 256),
        "c3": (12, 8, 512),
        "c4": (6, 4, 1024),
        "c5": (3, 2, 2048),
    }


def test_a_new_network_is_its_shortcuts(tiny):
    # The last BatchNorm of every residual branch starts at zero.
    gammas = [layer.gamma for layer in tiny.layers if layer.name.endswith("conv3_bn")]
    assert len(gammas) == sum(lk.applications.get_config("lambda_resnet_tiny").blocks)
    assert all((keras.ops.convert_to_numpy(gamma) == 0).all() for gamma in gammas)


def test_saves_and_reloads(tiny, tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype("float32")
    tiny.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), tiny(x))
    tiny.save_weights(tmp_path / "model.weights.h5")
    loaded = lk.create_model("lambda_resnet_tiny", weights=tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(loaded(x), tiny(x))


def test_any_size_where_the_scope_is_local(tiny):
    model = lk.create_model("lambda_resnet_tiny", input_shape=(None, None, 3))
    model.set_weights(tiny.get_weights())
    for side in (32, 45):
        x = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype("float32")
        fixed = lk.create_model("lambda_resnet_tiny", input_shape=(side, side, 3))
        fixed.set_weights(tiny.get_weights())
        np.testing.assert_allclose(model(x), fixed(x), atol=1e-5)


def test_every_weight_gets_a_gradient(tiny):
    import tensorflow as tf

    model = keras.models.clone_model(tiny)
    rng = np.random.default_rng(0)
    # Branches that start at zero would hide the weights before them.
    model.set_weights([w + 0.1 * rng.random(w.shape).astype("float32") for w in model.get_weights()])
    x = rng.normal(size=(4, 32, 32, 3)).astype("float32")
    with tf.GradientTape() as tape:
        loss = keras.losses.sparse_categorical_crossentropy(np.arange(4), model(x, training=True))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert float(tf.reduce_max(tf.abs(gradient))) > 0, variable.path


def test_stochastic_depth_grows_linearly_and_dropout_stands_before_the_classifier():
    model = lk.create_model("lambda_resnet_tiny", stochastic_depth_rate=0.2, dropout_rate=0.3)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("stochastic_depth")]
    assert rates == pytest.approx([0.05, 0.1, 0.15, 0.2])
    assert model.get_layer("dropout").rate == 0.3
    branch = next(layer for layer in model.layers if layer.name.endswith("stochastic_depth"))
    dropped = keras.ops.convert_to_numpy(branch(np.ones((2000, 1, 1, 1), "float32"), training=True))
    assert (dropped == 0).mean() == pytest.approx(0.05, abs=0.02)
    # What stays is scaled, so that the expectation does.
    assert dropped.max() == pytest.approx(1 / 0.95)


@pytest.mark.slow
def test_the_deepest_model_builds_and_runs():
    model = lk.LambdaResNet420(input_shape=(32, 32, 3), include_top=False, pooling="avg")
    assert model(np.zeros((1, 32, 32, 3), "float32")).shape == (1, 2048)
    assert len(lambda_blocks(model)) == 12
