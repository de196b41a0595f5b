import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.training.checkpoints import Checkpoints
from tests.zoo.training.test_trainer import make_trainer


def moved(*overrides):
    """The paths of the weights that two steps change."""
    trainer = make_trainer("training.learning_rate=0.1", "training.optimizer=adamw", *overrides)
    # Residual branches begin at zero, which would hide their gradients.
    for variable in trainer.model.weights:
        if variable.name == "gamma":
            variable.assign(np.ones(variable.shape))
    before = {variable.path: variable.numpy() for variable in trainer.model.weights}
    trainer.train(tf.constant(2))
    return {variable.path for variable in trainer.model.weights if not np.array_equal(variable, before[variable.path])}


@pytest.mark.parametrize("batch_norm", ["true", "false"])
def test_of_the_head_alone_nothing_else_moves(batch_norm):
    assert moved("training.trained_layers=head", f"training.frozen_batch_norm={batch_norm}") == {
        "predictions/kernel",
        "predictions/bias",
    }


def test_frozen_batch_norm_keeps_statistics_scales_and_offsets():
    names = {path.rpartition("/")[2] for path in moved("training.frozen_batch_norm=true")}
    assert names == {"kernel", "bias", "table"}


def test_without_it_all_moves():
    names = {path.rpartition("/")[2] for path in moved()}
    assert names == {"kernel", "bias", "table", "gamma", "beta", "moving_mean", "moving_variance"}


def test_frozen_weights_come_back_with_a_checkpoint(tmp_path):
    # A resumed run builds a model with random weights.
    trainer = make_trainer("training.trained_layers=head")
    Checkpoints(trainer, tmp_path, interval=1).save(0)
    resumed = make_trainer("training.trained_layers=head")
    for variable in resumed.model.weights:
        variable.assign(np.zeros(variable.shape))
    assert Checkpoints(resumed, tmp_path, interval=1).restore_or_initialize()
    for expected, variable in zip(trainer.model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(variable, expected, err_msg=variable.path)
