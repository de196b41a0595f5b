"""The fused kernel against Keras' own layer."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.layers import BatchNormalization


def both(shape, dtype="float32", **arguments):
    ours, theirs = (
        BatchNormalization(dtype=dtype, **arguments),
        keras.layers.BatchNormalization(dtype=dtype, **arguments),
    )
    ours.build(shape)
    theirs.build(shape)
    rng = np.random.default_rng(0)
    weights = [w + rng.random(w.shape).astype(w.dtype) for w in ours.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


# Of two axes, the kernel takes a batch of many numbers alone in inference.
@pytest.mark.parametrize("shape", [(16, 5), (16384, 5), (4, 6, 5), (3, 4, 6, 5), (2, 3, 2, 4, 5)], ids=str)
@pytest.mark.parametrize(
    ("dtype", "bound"),
    [
        ("float32", 1e-5),
        ("float64", 1e-12),
        ("mixed_float16", 2e-3),
        ("mixed_bfloat16", 2e-2),
        ("float16", 2e-3),
        ("bfloat16", 2e-2),
    ],
)
def test_equals_keras_layer(shape, dtype, bound):
    ours, theirs = both(shape, dtype, momentum=0.8)
    x = tf.constant(np.random.default_rng(1).normal(3, 2, size=shape), ours.compute_dtype)
    # Keras rounds the moving statistics, too, to the numbers that a pure policy stores.
    rounding = {"float16": 2**-10, "bfloat16": 2**-7}.get(dtype, 1e-5)
    for training in (False, True, False):
        a, b = ours(x, training=training), theirs(x, training=training)
        assert a.dtype == b.dtype
        np.testing.assert_allclose(tf.cast(a, "float64"), tf.cast(b, "float64"), atol=bound)
        for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(mine.astype("float64"), other.astype("float64"), rtol=rounding)


def test_gradients_equal_keras_layer():
    ours, theirs = both((8, 4, 4, 6))
    x = tf.constant(np.random.default_rng(1).normal(size=(8, 4, 4, 6)), "float32")
    gradients = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x, training=True)))
        gradients.append(tape.gradient(loss, [x, layer.gamma.value, layer.beta.value]))
    for mine, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)


def test_a_frozen_layer_uses_and_keeps_its_moving_statistics():
    ours, theirs = both((8, 4, 4, 6))
    ours.trainable = theirs.trainable = False
    x = np.random.default_rng(1).normal(size=(8, 4, 4, 6)).astype("float32")
    before = ours.get_weights()
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=1e-6)
    for mine, other in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("arguments", [{"axis": 1}, {"scale": False}, {"center": False}], ids=str)
def test_what_the_kernel_cannot_do_falls_back_to_keras(arguments):
    ours, theirs = both((2, 3, 4, 6), **arguments)
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 6)).astype("float32")
    np.testing.assert_array_equal(ours(x, training=True), theirs(x, training=True))


def test_saves_and_reloads_with_unknown_size(tmp_path):
    inputs = keras.Input((None, None, 6))
    model = keras.Model(inputs, BatchNormalization(momentum=0.8, epsilon=1e-5)(inputs))
    model(np.random.default_rng(1).normal(size=(4, 3, 5, 6)), training=True)
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(2).normal(size=(2, 7, 3, 6)).astype("float32")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_xla_gives_the_same_numbers():
    ours, theirs = both((2, 3, 4, 6))
    x = tf.constant(np.random.default_rng(1).normal(size=(2, 3, 4, 6)), "float32")
    compiled = tf.function(lambda x: ours(x, training=True), jit_compile=True)(x)
    np.testing.assert_allclose(compiled, theirs(x, training=True), atol=1e-5)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=1e-5)


def test_synchronised_statistics_are_keras_in_one_sum_over_the_replicas(run_python):
    results = json.loads(run_python("from tests.lambda_keras.layers import on_two_replicas as two; two.main()"))
    assert results["ours, sums"] * 3 == results["theirs, sums"]
    for mine, other in zip(results["ours"], results["theirs"], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
