"""What inference computes from the table of relative positions follows the table, wherever it is kept meanwhile."""

import concurrent.futures
import functools
import operator
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.layers import LambdaLayer, RelativePositionEmbedding
from tests.lambda_keras.layers import reference
from tests.lambda_keras.layers.small_layers import make_layer, output, random_inputs


def change(layer, seed):
    table = layer.position_embedding.table
    table.assign(np.random.default_rng(seed).normal(size=table.shape))


@pytest.mark.parametrize("options", [{}, {"scope_size": 3}, {"scope_size": None}], ids=str)
def test_the_next_inference_sees_another_table(options):
    x = random_inputs(2, 5, 4, 8)
    layer = make_layer(x, **options)
    graph = tf.function(layer)
    for seed in (1, 2):
        change(layer, seed)
        expected = reference.lambda_layer(layer, x)
        np.testing.assert_allclose(output(layer, x), expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(graph(x), expected, rtol=1e-9, atol=1e-9)


def test_predict_and_a_reloaded_model_see_another_table(tmp_path):
    x = random_inputs(2, 5, 4, 8).astype("float32")
    inputs = keras.Input((5, 4, 8))
    layer = LambdaLayer(6, num_heads=3, key_dim=4)
    model = keras.Model(inputs, layer(inputs))
    before = model.predict(x, verbose=0)
    change(layer, 1)
    after = model.predict(x, verbose=0)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, reference.lambda_layer(layer, x), atol=1e-5)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "model.keras").predict(x, verbose=0), after, atol=1e-6
    )
    # One that has computed with its own table gets another one from a file.
    model.save_weights(tmp_path / "model.weights.h5")
    change(layer, 2)
    assert np.abs(model.predict(x, verbose=0) - after).max() > 1e-3
    model.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(model.predict(x, verbose=0), after, atol=1e-6)
    # What `fuse` makes holds embeddings of its own: of the table that the model has at that time.
    np.testing.assert_allclose(lk.fuse(model).predict(x, verbose=0), after, atol=1e-5)
    change(layer, 3)
    changed = model.predict(x, verbose=0)
    np.testing.assert_allclose(lk.fuse(model).predict(x, verbose=0), changed, atol=1e-5)


def test_two_threads_compute_with_tables_of_their_own():
    x = random_inputs(2, 5, 4, 8)
    layers = [make_layer(x, scope_size=3), make_layer(x, scope_size=3)]
    barrier = threading.Barrier(2)

    def work(number):
        differences = []
        for seed in range(5):
            change(layers[number], 10 * number + seed)
            expected = reference.lambda_layer(layers[number], x)
            barrier.wait()
            differences.append(np.abs(output(layers[number], x) - expected).max())
        return max(differences)

    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        assert max(executor.map(work, range(2))) < 1e-9


@pytest.mark.parametrize("as_graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("layers", [1, 2], ids=["a layer", "two layers that share the table"])
def test_one_thread_infers_while_another_assigns_tables(layers, as_graph):
    x = random_inputs(2, 5, 4, 6)
    embedding = RelativePositionEmbedding(key_dim=4, scope_size=3, dtype="float64")
    stack = [make_layer(x, position_embedding=embedding) for _ in range(layers)]

    def through_all(call):
        return functools.reduce(lambda y, layer: call(layer, y), stack, x)

    infer = functools.partial(through_all, operator.call)
    infer = tf.function(infer) if as_graph else infer
    infer()
    tables, expected = random_inputs(2, *embedding.table.shape), []
    for table in tables:
        embedding.table.assign(table)
        expected.append(through_all(reference.lambda_layer))
    outputs, stop = [], threading.Event()

    def work():
        while not stop.is_set():
            outputs.append(infer().numpy())

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        thread = executor.submit(work)
        try:
            for number in range(10):
                embedding.table.assign(tables[number % 2])
                # The next output may be of a call that had begun before; the one after it is not.
                seen = len(outputs)
                while len(outputs) < seen + 2:
                    assert not thread.done(), thread.exception()
                    time.sleep(0.001)
                np.testing.assert_allclose(outputs[seen + 1], expected[number % 2], atol=1e-9)
        finally:
            stop.set()
    # Layers that share a table read it one after the other: a call during which it changes may use both.
    if layers == 1:
        assert max(min(np.abs(found - one).max() for one in expected) for found in outputs) < 1e-9
