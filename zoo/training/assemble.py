"""From a task to its model and a trainer."""

import contextlib
import dataclasses
from typing import Generic

import keras
import tensorflow as tf

from lambda_keras.zoo.training import averages
from lambda_keras.zoo.training.optimizers import build_optimizer
from lambda_keras.zoo.training.task import TaskType
from lambda_keras.zoo.training.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class Assembly(Generic[TaskType]):
    """All parts of one training.

    Attributes:
        trainer: A `lambda_keras.zoo.training.trainer.Trainer` without its `train_dataset`.
        model: The model to export, in float32; its weights are random until the trainer's are copied.
    """

    trainer: Trainer[TaskType]
    model: keras.Model


def assemble(
    task: TaskType, distribution: tf.distribute.Strategy, stopping: tf.Variable, is_new: bool
) -> Assembly[TaskType]:
    """Builds all parts of a training.

    Args:
        task: A `lambda_keras.zoo.training.task.Task`.
        distribution: A `tf.distribute.Strategy`.
        stopping: The variable of a `lambda_keras.zoo.training.preemption.StopFlag`.
        is_new: As for `build_trainer`.

    Raises:
        UserError: The recipe does not fit the model, the data or the devices, or its weights cannot be loaded.
    """
    return Assembly(build_trainer(task, distribution, stopping, is_new), task.build_exported_model())


def build_trainer(
    task: TaskType, distribution: tf.distribute.Strategy, stopping: tf.Variable, is_new: bool = False
) -> Trainer[TaskType]:
    """Builds model, optimizer and trainer in the strategy's scope.

    Args:
        task: A `lambda_keras.zoo.training.task.Task`.
        distribution: A `tf.distribute.Strategy`.
        stopping: The variable of a `lambda_keras.zoo.training.preemption.StopFlag`.
        is_new: Whether the weights are to be those that the recipe starts from; otherwise they are random, for a
            checkpoint to replace.

    Returns:
        A `lambda_keras.zoo.training.trainer.Trainer` without its `train_dataset`.

    Raises:
        UserError: The recipe does not fit the model, the data or the devices, or its weights cannot be loaded.
    """
    training = task.training
    keras.utils.set_random_seed(training.seed)
    with distribution.scope(), _precision(training.precision):
        model = task.build_model()
        start = task.load_start(model) if is_new else None
        task.freeze(model)
        for layer in averages.batch_norms(model):
            # With one replica there is nothing to synchronise, and the fused kernel to gain.
            layer.synchronized = training.synchronized_batch_norm and distribution.num_replicas_in_sync > 1
        shares = task.shares_of_rate(model)
        optimizer = build_optimizer(training, task.schedule(), model.trainable_variables, shares)
    return Trainer(model, optimizer, task, distribution, stopping, start)


@contextlib.contextmanager
def _precision(policy):
    """A dtype policy for the length of a block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
