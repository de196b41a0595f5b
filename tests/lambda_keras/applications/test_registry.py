"""create_model, list_models and the arguments that all builders share."""

import inspect

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.weights import catalog

DEPTHS = (50, 101, 152, 200, 270, 350, 420)


def test_every_model_of_the_design_is_listed():
    names = [
        *(f"lambda_resnet{depth}{form}" for form in ("", "_c4") for depth in DEPTHS),
        *(f"resnet_rs{depth}{form}" for form in ("", "_no_se") for depth in DEPTHS),
        *(f"resnet50_{pattern}" for pattern in ["cccc", "cccl", "ccll", "clll", "llll", "lccc", "llcc", "lllc"]),
        "mobilenet_v2",
        "lambda_mobilenet_v2",
        "lambda_resnet_tiny",
        "lambda_resnet26t",
        "lambda_resnet26rpt_256",
        "lambda_resnet50ts",
    ]
    assert set(names) <= set(lk.list_models())
    assert lk.list_models("resnet50_*l") == [f"resnet50_{pattern}" for pattern in ["cccl", "ccll", "clll", "llll"]]
    assert lk.list_models("nothing*") == []


def test_models_with_published_weights():
    published = {record.model for record in catalog.records() if record.format in ("timm", "lambda_keras")}
    assert lk.list_models(pretrained=True) == [name for name in lk.list_models() if name in published] != []
    assert lk.list_models("*50*", pretrained=True) == ["lambda_resnet50ts"]
    assert lk.list_models("resnet_rs*", pretrained=True) == [], "weights of a warm start are none of the model"


def test_functions_have_the_signature_of_keras_applications():
    theirs = inspect.signature(keras.applications.ResNet50).parameters
    for function in (lk.LambdaResNet50, lk.LambdaResNet420C4, lk.ResNetRS101, lk.LambdaMobileNetV2):
        ours = inspect.signature(function).parameters
        shared = [name for name in theirs if name not in ("weights", "name")]
        assert {name: ours[name].default for name in shared} == {name: theirs[name].default for name in shared}
        assert list(ours)[: len(theirs)] == list(theirs)
        assert "Args:" in function.__doc__


def test_a_function_and_its_registered_name_make_the_same_model():
    by_name = lk.create_model("lambda_mobilenet_v2", input_shape=(64, 64, 3), classes=3, name="mine")
    by_function = lk.LambdaMobileNetV2(input_shape=(64, 64, 3), classes=3, name="mine")
    assert by_name.get_config() == by_function.get_config()


def test_overrides_reach_the_layers():
    model = lk.create_model(
        "lambda_resnet_tiny", key_dim=8, num_heads=2, intra_depth=2, scope_size=5, batch_norm_momentum=0.7
    )
    layer = next(layer for layer in model.layers if isinstance(layer, lk.layers.LambdaLayer))
    assert (layer.key_dim, layer.num_heads, layer.intra_depth, layer.scope_size) == (8, 2, 2, 5)
    assert layer.query_batch_norm.momentum == model.get_layer("stem_bn").momentum == 0.7


def test_tops_and_poolings():
    x = np.ones((2, 32, 32, 3), "float32")
    make = lk.create_model
    assert make("lambda_resnet_tiny", classes=7)(x).shape == (2, 7)
    np.testing.assert_allclose(keras.ops.sum(make("lambda_resnet_tiny")(x), axis=-1), 1, atol=1e-5)
    logits = make("lambda_resnet_tiny", classifier_activation=None)
    assert logits.get_layer("predictions").activation is keras.activations.linear
    assert make("lambda_resnet_tiny", include_top=False)(x).shape == (2, 4, 4, 192)
    assert make("lambda_resnet_tiny", include_top=False, pooling="avg")(x).shape == (2, 192)
    assert make("lambda_resnet_tiny", include_top=False, pooling="max")(x).shape == (2, 192)


def test_an_input_tensor_extends_a_graph():
    image = keras.Input((16, 16, 1))
    larger = keras.layers.Concatenate()([keras.layers.UpSampling2D(2)(image)] * 3)
    model = lk.create_model("lambda_resnet_tiny", input_tensor=larger)
    assert model.input_shape == (None, 16, 16, 1)
    assert model(np.ones((2, 16, 16, 1))).shape == (2, 10)


def test_probabilities_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = lk.create_model("lambda_resnet_tiny")
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"


BAD = {
    "unknown model": (("lambda_resnet5O",), {}, "Nearest names: lambda_resnet50"),
    "unknown argument": (("lambda_resnet_tiny",), {"key_depth": 8}, "Nearest: key_dim"),
    "argument of timm": (("lambda_resnet_tiny",), {"num_classes": 3}, "'num_classes'; use classes"),
    "weights of timm": (("lambda_resnet26t",), {"pretrained": True}, "use weights='imagenet'"),
    "unknown stem": (("lambda_resnet_tiny",), {"stem": "deep"}, "vanilla"),
    "rate": (("lambda_resnet_tiny",), {"dropout_rate": 1.5}, r"\[0, 1\)"),
    "pooling": (("lambda_resnet_tiny",), {"include_top": False, "pooling": "mean"}, "'avg' or 'max'"),
    "classes": (("lambda_resnet_tiny",), {"classes": 0}, "at least 1"),
    "shape": (("lambda_resnet_tiny",), {"input_shape": (32, 32)}, "height, width, channels"),
    "weights": (("lambda_resnet50",), {"weights": "imagenet", "input_shape": (32, 32, 3)}, "architecture only"),
    "blocks": (("lambda_resnet_tiny",), {"lambda_blocks": ((), (), (9,), ())}, "between 1 and its 2"),
    "stages": (("lambda_resnet_tiny",), {"squeeze_excitation_stages": ("c6",)}, "among"),
    "even scope": (("lambda_resnet_tiny",), {"scope_size": 8}, "odd"),
    "heads": (("lambda_resnet_tiny",), {"num_heads": 5}, "multiple of `num_heads`"),
    "global, unknown size": (
        ("lambda_resnet_tiny",),
        {"scope_size": None, "input_shape": (None, None, 3)},
        "known size",
    ),
    "mobile blocks": (("lambda_mobilenet_v2",), {"lambda_blocks": (2,)}, "keep resolution"),
}


@pytest.mark.parametrize(("names", "arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_gets_a_clear_error(names, arguments, message):
    with pytest.raises(ValueError, match=message):
        lk.create_model(*names, **arguments)


def test_a_missing_weights_file():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.weights\.h5"):
        lk.create_model("lambda_resnet_tiny", weights="nowhere.weights.h5")


@pytest.mark.parametrize("policy", ["bfloat16", "float16"])
def test_a_model_of_pure_half_precision_runs_and_trains(policy):
    exact = lk.create_model("lambda_resnet_tiny", squeeze_excitation_stages=("c2",))
    keras.config.set_dtype_policy(policy)
    try:
        model = lk.create_model("lambda_resnet_tiny", squeeze_excitation_stages=("c2",))
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(exact.get_weights())
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(model(images), exact(images), atol=5e-3)
    np.testing.assert_allclose(lk.fuse(model)(images), exact(images), atol=5e-3)
    found = lk.explain.interaction_map(model, images[0], "c5_block1_lambda", (4, 4))
    expected = lk.explain.interaction_map(exact, images[0], "c5_block1_lambda", (4, 4))
    np.testing.assert_allclose(found.total, expected.total, atol=0.03 * np.abs(expected.total).max())
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=True)
    losses = [model.train_on_batch(images, np.arange(4)) for _ in range(3)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_integers_of_numpy_are_integers():
    model = lk.create_model("lambda_resnet_tiny", classes=np.int64(3), num_heads=np.int64(2), key_dim=np.int32(8))
    assert keras.models.model_from_json(model.to_json()).count_params() == model.count_params()


def test_fractions_are_not_cut_off():
    for make in (
        lambda: lk.create_model("lambda_resnet_tiny", classes=10.5),
        lambda: lk.layers.LambdaLayer(filters=8.0),
        lambda: lk.layers.RelativePositionEmbedding(key_dim=4.5),
        lambda: lk.layers.RelativePositionEmbedding(key_dim=4, intra_depth=1.5),
        lambda: lk.layers.SqueezeExcitation(ratio=4.5),
    ):
        with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
            make()
