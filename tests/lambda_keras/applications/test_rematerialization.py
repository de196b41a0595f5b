"""remat="blocks": gradients, statistics and dropout are as without; zoo/training/test_memory.py has sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.applications.rematerialization import rematerialize
from tests.lambda_keras.small_models import arguments_of_each_kind

IMAGES = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
# Of probabilities, which would all be 0 or 1, there would be no gradients.
LOGITS = {"classifier_activation": None}
RANDOM = {"stochastic_depth_rate": 0.5, "dropout_rate": 0.3}


def make(remat, name="lambda_resnet_tiny", **overrides):
    """A network whose weights all matter, the same with and without."""
    keras.utils.set_random_seed(0)
    model = lk.create_model(name, remat=remat, **{**LOGITS, **RANDOM, **overrides})
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.1 * rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    return model


def outputs_and_gradients(model, images):
    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = sum(tf.reduce_mean(tf.cast(output, "float32") ** 2) for output in keras.tree.flatten(outputs))
    return outputs, tape.gradient(loss, [variable.value for variable in model.trainable_variables])


def assert_near(found, expected):
    keras.tree.map_structure(
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6), found, expected
    )


KINDS = {
    "classifier": {},
    "features": {"features_only": True},
    "embedding": {"include_top": False, "pooling": "avg"},
    "shared tables": {"share_position_embeddings": True, "lambda_blocks": ((), (1,), (1, 2), (1,))},
    "attention": {"interaction": "local", "scope_size": 3},
}


@pytest.mark.parametrize(
    ("kind", "as_graph"), [*((kind, False) for kind in KINDS), ("classifier", True), ("features", True)]
)
def test_numbers_gradients_statistics_and_dropout_are_equal(kind, as_graph):
    plain, remat = make(None, **KINDS[kind]), make("blocks", **KINDS[kind])
    run = tf.function(outputs_and_gradients) if as_graph else outputs_and_gradients
    # In the second step dropout draws anew, and the statistics of the first have been kept.
    for _ in range(2):
        assert_near(run(remat, IMAGES), run(plain, IMAGES))
    for ours, theirs in zip(remat.variables, plain.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=ours.path)
    moved = [variable for variable in remat.variables if "moving_mean" in variable.path]
    assert all(np.abs(variable).max() > 0 for variable in moved)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (name, arguments)
        for name, arguments in arguments_of_each_kind().items()
        if hasattr(lk.applications.get_config(name), "remat")
    ],
)
def test_every_kind_that_is_registered_has_the_same_numbers_and_gradients(name, arguments):
    plain, remat = (make(kind, name, **arguments) for kind in (None, "blocks"))
    images = np.random.default_rng(1).normal(size=(4, *plain.input_shape[1:])).astype("float32")
    expected = outputs_and_gradients(plain, images)
    assert all(np.abs(gradient).max() > 0 for gradient in expected[1])
    assert_near(outputs_and_gradients(remat, images), expected)


def test_half_precision_is_equal():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        plain, remat = make(None), make("blocks")
    finally:
        keras.config.set_dtype_policy("float32")
    assert_near(outputs_and_gradients(remat, IMAGES), outputs_and_gradients(plain, IMAGES))


def test_inference_files_and_names_are_those_of_the_model_without(tmp_path):
    plain, remat = make(None), make("blocks")
    assert [weight.path for weight in remat.weights] == [weight.path for weight in plain.weights]
    np.testing.assert_array_equal(remat(IMAGES), plain(IMAGES))
    np.testing.assert_allclose(lk.fuse(remat)(IMAGES), plain(IMAGES), atol=1e-5)
    remat.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(IMAGES), plain(IMAGES))
    np.testing.assert_array_equal(keras.models.clone_model(remat)(IMAGES).shape, (4, 10))


def test_it_fits():
    plain, remat = make(None, classifier_activation="softmax"), make("blocks", classifier_activation="softmax")
    for model in (plain, remat):
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        model.fit(IMAGES, np.arange(4), epochs=2, verbose=0)
    for ours, theirs in zip(remat.variables, plain.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=ours.path)


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="`remat` must be None or 'blocks'"):
        lk.create_model("lambda_resnet_tiny", remat="layers")


def test_another_backend_is_refused(monkeypatch):
    model = make(None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Received: the backend jax"):
        rematerialize(model, lk.applications.get_config("lambda_resnet_tiny"))
