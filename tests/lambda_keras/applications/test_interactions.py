"""The paper's ablations and baselines by configuration: fields reach their layers, shared tables stay shared."""

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.layers import AxialSelfAttention, GlobalSelfAttention, LambdaLayer, LocalSelfAttention

KINDS = {"lambda": LambdaLayer, "global": GlobalSelfAttention, "axial": AxialSelfAttention, "local": LocalSelfAttention}
# Two lambda layers at the resolution of c4, and one at that of c5; the first of each stage runs before its stride.
THREE = {"lambda_blocks": ((), (), (2,), (1, 2)), "blocks": (1, 1, 2, 2)}


def make(**overrides):
    """A tiny network whose weights all matter, and whose outputs are logits: probabilities would all be 0 or 1."""
    keras.utils.set_random_seed(0)
    model = lk.create_model("lambda_resnet_tiny", classifier_activation=None, **overrides)
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.07 * rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    return model


def images(count=2):
    return np.random.default_rng(0).normal(size=(count, 32, 32, 3)).astype("float32")


def interactions(model):
    return [layer for layer in model.layers if isinstance(layer, tuple(KINDS.values()))]


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.parametrize(
    "overrides",
    [
        {"use_content": False},
        {"use_position": False},
        {"key_normalization": "l2"},
        {"query_softmax": True},
        {"use_batch_norm": False},
        {"implementation": "lambda_first"},
    ],
    ids=str,
)
def test_fields_of_lambda_layers_reach_them(overrides):
    model = lk.create_model("lambda_resnet_tiny", **overrides)
    ((name, value),) = overrides.items()
    assert [getattr(layer, name) for layer in interactions(model)] == [value, value]
    assert model(images()).shape == (2, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interaction_takes_the_place_of_lambda_layers(kind, tmp_path):
    model = make(interaction=kind, stochastic_depth_rate=0.1)
    assert [type(layer) for layer in interactions(model)] == [KINDS[kind]] * 2
    suffix = "lambda" if kind == "lambda" else "attention"
    assert [layer.name for layer in interactions(model)] == [f"c4_block2_{suffix}", f"c5_block1_{suffix}"]
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(images()), model(images()))
    lk.save_pretrained(model, tmp_path / "shared")
    np.testing.assert_array_equal(lk.from_pretrained(tmp_path / "shared")(images()), model(images()))
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = lk.create_model(
        "lambda_resnet_tiny", classifier_activation=None, interaction=kind, weights=tmp_path / "model.weights.h5"
    )
    np.testing.assert_array_equal(loaded(images()), model(images()))
    np.testing.assert_allclose(lk.fuse(model)(images()), model(images()), atol=1e-5)
    assert lk.create_model("lambda_resnet_tiny", interaction=kind, features_only=True)(images())["c5"].shape[-1] == 192


def test_each_stage_has_its_scope():
    model = lk.create_model("lambda_resnet_tiny", stage_scope_sizes=[3, 3, 5, [7, 9]])
    assert [layer.scope_size for layer in interactions(model)] == [5, (7, 9)]


@pytest.mark.parametrize(
    ("kind", "scope_size"), [("lambda", 5), ("lambda", None), ("global", 5), ("global", None), ("local", 5)]
)
def test_layers_of_a_resolution_share_a_table_and_still_do_in_every_copy(kind, scope_size, tmp_path):
    model = make(interaction=kind, scope_size=scope_size, share_position_embeddings=True, **THREE)
    alone = lk.create_model("lambda_resnet_tiny", interaction=kind, scope_size=scope_size, **THREE)
    first, second, third = (layer.position_embedding for layer in interactions(model))
    assert first is second
    assert first is not third
    assert trainable(alone) - trainable(model) == np.prod(first.table.shape)
    x, expected = images(), model(images())
    model.save(tmp_path / "model.keras")
    lk.save_pretrained(model, tmp_path / "shared")
    model.save_weights(tmp_path / "model.weights.h5")
    rebuilt = make(interaction=kind, scope_size=scope_size, share_position_embeddings=True, **THREE)
    rebuilt.load_weights(tmp_path / "model.weights.h5")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for copy in (
        keras.models.load_model(tmp_path / "model.keras"),
        lk.from_pretrained(tmp_path / "shared"),
        rebuilt,
        clone,
    ):
        assert copy.count_params() == model.count_params()
        tables = [layer.position_embedding for layer in interactions(copy)]
        assert tables[0] is tables[1]
        assert tables[1] is not tables[2]
        np.testing.assert_array_equal(copy(x), expected)
    np.testing.assert_allclose(lk.fuse(model)(x), expected, atol=1e-5)
    # The clone computes with another table what the original would, which still has its own.
    _, shared, _ = (layer.position_embedding for layer in interactions(clone))
    shared.table.assign(10 * shared.table)
    changed = clone(x)
    assert np.abs(changed - expected).max() > 1e-4
    np.testing.assert_array_equal(model(x), expected)
    first.table.assign(10 * first.table)
    np.testing.assert_array_equal(model(x), changed)


def test_layers_of_one_resolution_but_other_scopes_have_tables_of_their_own():
    model = lk.create_model(
        "lambda_resnet_tiny", share_position_embeddings=True, stage_scope_sizes=(3, 3, 5, 7), **THREE
    )
    tables = [layer.position_embedding for layer in interactions(model)]
    assert len(set(map(id, tables))) == 3
    assert len({table.table.path for table in tables}) == 3


@pytest.mark.parametrize(
    ("overrides", "millions"),
    [
        # LambdaNetworks, ablation of key depth and heads.
        ({"key_dim": 8}, 14.8),
        ({"num_heads": 8}, 15.1),
        ({"num_heads": 8, "key_dim": 8}, 14.7),
        # Ramachandran et al. (arXiv 1906.05909), table 1: a convolution as stem, then local attention of 8 heads.
        ({"interaction": "local", "scope_size": 7, "num_heads": 8, "key_dim": None, "normalize_lambda": True}, 18.0),
    ],
    ids=str,
)
def test_parameter_counts_of_the_literature(overrides, millions):
    model = lk.create_model("resnet50_llll", **overrides)
    assert round(trainable(model) / 1e6, 1) == millions
    if overrides.get("interaction") == "local":
        # There 7.0 billion operations, each multiply-add being two.
        assert round(2 * lk.count_multiply_adds(model) / 1e9, 1) == 7.0


BAD = {
    "unknown": ({"interaction": "attention"}, r"`interaction` must be one of \('lambda'"),
    "of lambda layers": ({"interaction": "axial", "use_content": False}, "use_content must be left out"),
    "intra-depth": ({"interaction": "local", "intra_depth": 2}, "only lambda layers have that"),
    "neither": ({"use_content": False, "use_position": False}, "cannot both be False"),
    "tables of axial": ({"interaction": "axial", "share_position_embeddings": True}, "one position table each"),
    "no tables": ({"use_position": False, "share_position_embeddings": True}, "use_position=False"),
    "scopes": ({"stage_scope_sizes": (3, 5)}, "a scope for each of the stages"),
    "no key depth": ({"key_dim": None}, "at least 1"),
    "unknown size": ({"interaction": "local", "input_shape": (None, None, 3)}, "inputs of known size"),
}


@pytest.mark.parametrize(("overrides", "message"), BAD.values(), ids=BAD)
def test_bad_fields_get_a_clear_error(overrides, message):
    with pytest.raises(ValueError, match=message):
        lk.create_model("lambda_resnet_tiny", **overrides)
