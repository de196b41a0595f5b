"""Which weights a training ends with, and what becomes of them on a full disk."""

import contextlib
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training.final_weights import FinalWeights
from tests.little_room import little_room


def make_model():
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(500), keras.layers.Dense(10)])


@pytest.fixture
def trainer():
    return types.SimpleNamespace(
        model=make_model(),
        training=recipe_file.load("digits", ["training.early_stopping_epochs=3"]).training,
        strategy=tf.distribute.get_strategy(),
        averages=types.SimpleNamespace(in_place_of_weights=contextlib.nullcontext),
    )


def test_the_best_weights_come_back(trainer, tmp_path):
    model = make_model()
    final = FinalWeights(trainer, model, tmp_path)
    best = trainer.model.get_weights()
    final.keep_as_best()
    # Keras itself reads the file.
    other = make_model()
    other.load_weights(tmp_path / run_folder.BEST_WEIGHTS)
    trainer.model.set_weights([weight + 1 for weight in best])
    final.take()
    for values in (other.get_weights(), model.get_weights(), trainer.model.get_weights()):
        for value, expected in zip(values, best, strict=True):
            np.testing.assert_array_equal(value, expected)


def test_a_full_disk_is_an_error_and_the_best_weights_stay(trainer, tmp_path):
    final = FinalWeights(trainer, make_model(), tmp_path)
    final.keep_as_best()
    before = (tmp_path / run_folder.BEST_WEIGHTS).read_bytes()
    expected = r"cannot write to .*: File too large; make room there and run the same command"
    with little_room(), pytest.raises(UserError, match=expected):
        final.keep_as_best()
    assert [path.name for path in tmp_path.iterdir()] == [run_folder.BEST_WEIGHTS]
    assert (tmp_path / run_folder.BEST_WEIGHTS).read_bytes() == before
