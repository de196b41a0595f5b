from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.training.randomness import derive_seeds, pass_seed


def on_replica(monkeypatch, replica):
    context = SimpleNamespace(replica_id_in_sync_group=tf.constant(replica))
    monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: context)


def test_every_seed_place_pass_and_replica_draws_differently(monkeypatch):
    seeds = []
    for replica in range(3):
        on_replica(monkeypatch, replica)
        for seed in (0, 1, 2**31 - 1):
            for place in range(3):
                seeds += [pass_seed(seed, place, tf.constant(passes, tf.int64)) for passes in (0, 1, 2**40)]
    assert {(seed.dtype, *seed.shape) for seed in seeds} == {(tf.int32, 2)}
    draws = [tuple(tf.random.stateless_uniform([4], seed).numpy()) for seed in seeds]
    assert len(set(draws)) == len(draws) == 81


def test_the_same_seed_place_pass_and_replica_draw_the_same(monkeypatch):
    on_replica(monkeypatch, 1)
    passes = tf.Variable(0, dtype=tf.int64)
    in_graph = tf.function(lambda: pass_seed(7, 2, passes))
    for number in range(3):
        passes.assign(number)
        expected = pass_seed(7, 2, tf.constant(number, tf.int64))
        np.testing.assert_array_equal(in_graph(), expected)
        np.testing.assert_array_equal(pass_seed(7, 2, passes), expected)


class Block(keras.layers.Layer):
    """A layer with a dropout layer inside."""

    def __init__(self):
        super().__init__()
        self.dropout = keras.layers.Dropout(0.5)

    def call(self, inputs, training=None):
        return self.dropout(inputs, training=training)


def make_model(seed=0):
    """Returns a model of four kinds of dropout, each an output, whose seeds are derived, and its count of passes."""
    inputs = keras.Input((4, 4, 64))
    layers = [
        keras.layers.Dropout(0.5),
        keras.layers.Dropout(0.5),
        keras.layers.Dropout(0.5, noise_shape=(None, 1, 1, 1)),
        Block(),
        keras.layers.Dropout(0.0),
    ]
    model = keras.Model(inputs, [layer(inputs) for layer in layers])
    passes = tf.Variable(0, dtype=tf.int64)
    derive_seeds(model, seed, passes)
    return model, passes


def draw(model, passes, number, function=None):
    passes.assign(number)
    outputs = (function or model)(tf.ones((32, 4, 4, 64)), training=True)
    return [output.numpy() for output in outputs]


@pytest.fixture(scope="module")
def dropout():
    return make_model()


def test_dropout_repeats_for_a_pass_and_differs_for_another(dropout):
    model, passes = dropout
    first, second, again = (draw(model, passes, number) for number in (5, 6, 5))
    for place in range(4):
        assert set(np.unique(first[place])) == {0, 2}
        np.testing.assert_array_equal(again[place], first[place])
        assert (second[place] != first[place]).any()


def test_a_graph_draws_what_eager_execution_does(dropout):
    model, passes = dropout
    function = tf.function(model)
    for number in (5, 6):
        for in_graph, eager in zip(draw(model, passes, number, function), draw(model, passes, number), strict=True):
            np.testing.assert_array_equal(in_graph, eager)


def test_layers_and_seeds_of_the_recipe_draw_differently(dropout):
    first = draw(*dropout, 5)
    other = draw(*make_model(seed=1), 5)
    for place in range(4):
        assert (other[place] != first[place]).any()
    for place in (1, 3):
        assert (first[place] != first[0]).any()
    assert (first[1] != first[3]).any()


def test_another_model_of_the_same_recipe_draws_the_same(dropout):
    first = draw(*dropout, 5)
    keras.utils.set_random_seed(1234)
    for output, expected in zip(draw(*make_model(), 5), first, strict=True):
        np.testing.assert_array_equal(output, expected)


def test_the_seed_states_of_keras_do_not_move(dropout):
    model, passes = dropout
    states = [variable for variable in model.non_trainable_variables if variable.name == "seed_generator_state"]
    assert len(states) == 4
    before = [state.numpy() for state in states]
    draw(model, passes, 5)
    for state, expected in zip(states, before, strict=True):
        np.testing.assert_array_equal(state.numpy(), expected)
