"""A training in its run folder, from the first step or from its newest checkpoint to its end, whatever the task."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import keras
import orbit
import tensorflow as tf

from lambda_keras.atomic import replacing
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.errors import NonFiniteLossError, UserError, WorkerLostError, writing_run
from lambda_keras.zoo.recipe import CommonTraining
from lambda_keras.zoo.training import checkpoints
from lambda_keras.zoo.training.assemble import Assembly, assemble
from lambda_keras.zoo.training.epochs import Epochs
from lambda_keras.zoo.training.final_weights import FinalWeights
from lambda_keras.zoo.training.preemption import StopFlag
from lambda_keras.zoo.training.strategy import is_chief, wait_for_workers
from lambda_keras.zoo.training.task import Row, TaskType
from lambda_keras.zoo.training.trainer import Trainer, images_per_pass

# What collectives end in when a worker of the training is gone.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)

Result = TypeVar("Result")


def run(
    task: TaskType,
    out: str | Path,
    stop: StopFlag,
    strategy: tf.distribute.Strategy,
    evaluator: Callable[[Trainer[TaskType]], orbit.AbstractEvaluator],
    finish: Callable[[Assembly[TaskType], FinalWeights, list[Row]], Result],
    *,
    overwrite: bool,
    verbose: bool,
) -> Result:
    """Trains in a folder that is checked and locked.

    Args:
        task: What is trained.
        out: The folder to write.
        stop: The flag that signals raise.
        strategy: From `lambda_keras.zoo.training.strategy.create`.
        evaluator: Makes what returns the figures after an epoch.
        finish: Called on all workers once the model to export has its weights, with the rows of `metrics.csv`: writes
            and prints what there is at the end.
        overwrite: Whether to remove the run that the folder holds instead of resuming it.
        verbose: Whether to show the progress.

    Returns:
        What `finish` returns.

    Raises:
        UserError: The recipe does not fit, the run that is to be continued had other images, the folder cannot be
            written, or the loss is not finite.
        lambda_keras.zoo.errors.TryAgainError: A signal stopped it, or another worker is gone; the same call resumes it.
    """
    folder = Path(out)
    chief = is_chief(strategy)
    is_new = overwrite or not checkpoints.written(folder / run_folder.CHECKPOINTS)
    if not is_new:
        run_folder.check_input(folder, task.images)
    # Before the folder is touched: whatever is wrong with the recipe should be found here.
    assembly = assemble(task, strategy, stop.raised, is_new)
    trainer = assembly.trainer
    if chief:
        run_folder.start(folder, task.recipe, overwrite)
        if is_new:
            with writing_run(folder):
                run_folder.write_input(folder, task.images)
    # The others read the folder once it is there.
    wait_for_workers(strategy)
    if chief and trainer.start is not None:
        with writing_run(folder), replacing(folder / run_folder.START) as partial:
            partial.write_text(f"{trainer.start}\n", encoding="utf-8")
    final_weights = FinalWeights(trainer, assembly.model, folder)
    epochs = Epochs(trainer, evaluator(trainer), final_weights, folder, verbose and chief)
    try:
        epochs.train()
        final_weights.take()
        return finish(assembly, final_weights, epochs.monitoring.log.rows)
    except NonFiniteLossError as error:
        raise UserError(f"{error}; {epochs.checkpoints.describe_latest()}") from error
    except LOST as error:
        raise WorkerLostError(
            f"another worker is gone; start all again, {epochs.checkpoints.describe_latest()}"
        ) from error
    finally:
        epochs.close()


def check_devices(training: CommonTraining, strategy: tf.distribute.Strategy) -> None:
    """Refuses devices that a recipe cannot be trained on.

    Args:
        training: The section of the recipe.
        strategy: From `lambda_keras.zoo.training.strategy.create`.

    Raises:
        UserError: Keras runs on another backend, the batch cannot be shared out equally, or XLA is asked for on several
            replicas.
    """
    if keras.config.backend() != "tensorflow":
        raise UserError(f"training needs KERAS_BACKEND=tensorflow, got {keras.config.backend()}")
    images_per_pass(training, strategy.num_replicas_in_sync)
    if training.xla and strategy.num_replicas_in_sync > 1:
        raise UserError("training.xla is for --strategy default; a TPU always compiles with XLA, the others cannot")
