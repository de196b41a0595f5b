import csv

import keras
import numpy as np
import pytest

from zoo.callbacks import COLUMNS, MetricsLog, StopOnNonFiniteLoss
from zoo.errors import UserError


def fit(inputs, callbacks, epochs=2):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy", metrics=["accuracy"])
    labels = np.eye(2)[np.arange(len(inputs)) % 2]
    history = model.fit(
        inputs, labels, batch_size=4, epochs=epochs, validation_data=(inputs, labels), callbacks=callbacks, verbose=0
    )
    return history.history


def test_metrics_are_those_of_keras_history(tmp_path):
    log = MetricsLog(tmp_path / "metrics.csv", images_per_epoch=8)
    history = fit(np.random.default_rng(0).normal(size=(8, 3)), [log], epochs=3)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert [float(row[name]) for row in rows] == pytest.approx(history[name], rel=1e-5)
    for row in rows:
        assert float(row["learning_rate"]) == 0.5
        assert float(row["images_per_second"]) == pytest.approx(8 / float(row["seconds"]), rel=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_non_finite_loss_stops_with_step_and_learning_rate(value):
    inputs = np.ones((8, 3))
    inputs[4:] = value
    with pytest.raises(UserError, match=r"the loss is nan at step \d+ \(learning rate 0.5\)"):
        fit(inputs, [StopOnNonFiniteLoss()])
