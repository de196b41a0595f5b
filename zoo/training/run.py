"""`lambda-zoo train`: a recipe in, a run folder out."""

import contextlib
from pathlib import Path

import keras
import tensorflow as tf

from lambda_keras.atomic import replacing
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import NonFiniteLossError, UserError, WorkerLostError, writing_run
from lambda_keras.zoo.folder_lock import locked
from lambda_keras.zoo.recipe import Recipe
from lambda_keras.zoo.training import assemble, checkpoints, outputs
from lambda_keras.zoo.training.epochs import Epochs
from lambda_keras.zoo.training.evaluator import Evaluator
from lambda_keras.zoo.training.final_weights import FinalWeights
from lambda_keras.zoo.training.preemption import StopFlag
from lambda_keras.zoo.training.strategy import is_chief, wait_for_workers

# What collectives end in when a worker of the training is gone.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


def train(
    recipe: Recipe,
    out: str | Path,
    data_dir: str | Path | None = None,
    strategy: tf.distribute.Strategy | None = None,
    overwrite: bool = False,
    verbose: bool = True,
) -> float:
    """Trains the recipe's model, evaluates it once on the test split and writes the run folder.

    A run that was stopped resumes from its newest checkpoint, with the same numbers as if it had not been stopped.

    The folder holds `recipe.yaml`, `metrics.csv`, `model.keras` (float32, softmax, with the averaged or best weights
    where the recipe asks for such), `record.json`, `test.npz`, `curves.png`, `predictions.png`, `checkpoints/` and
    `tensorboard/`; `start.txt` says what became of the weights that the recipe starts from.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        out: The folder to write. Another training into it is refused meanwhile.
        data_dir: Folder of prepared data, for datasets that need one.
        strategy: From `lambda_keras.zoo.training.strategy.create`; by default that of one device.
        overwrite: Whether to remove the run that the folder holds instead of resuming it.
        verbose: Whether to show the progress.

    Returns:
        The accuracy on the test split, 0..1.

    Raises:
        UserError: The recipe does not fit the model, the data or the devices, the data are missing, the folder holds
            another run, is in use or cannot be written, or the loss is not finite.
        lambda_keras.zoo.errors.TryAgainError: A signal stopped it, or another worker is gone; the same call resumes it.

    Example:
        >>> train(recipe_file.load("digits"), "runs/digits")  # doctest: +SKIP
        0.9733333333333334
    """
    strategy = strategy or tf.distribute.get_strategy()
    _check_devices(recipe, strategy)
    with locked(out) if is_chief(strategy) else contextlib.nullcontext():
        run_folder.check(out, recipe, overwrite)
        dataset = catalog.load(recipe.data, data_dir)
        with StopFlag() as stop:
            accuracy = train_phase(recipe, out, dataset, stop, strategy, overwrite=overwrite, verbose=verbose)
    assert accuracy is not None, "a training that is whole looks at the test split"
    return accuracy


def train_phase(
    recipe: Recipe,
    out: str | Path,
    dataset: Dataset,
    stop: StopFlag,
    strategy: tf.distribute.Strategy | None = None,
    *,
    overwrite: bool = False,
    verbose: bool = True,
    is_last: bool = True,
) -> float | None:
    """Does what `train` does in a folder that is checked and locked, perhaps as one of several trainings in a row.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        out: The folder to write.
        dataset: What `lambda_keras.zoo.data.catalog.load` made of the recipe's data.
        stop: The flag that signals raise, the same for all trainings in a row: whichever is to go on stops.
        strategy: As for `train`.
        overwrite: As for `train`.
        verbose: As for `train`.
        is_last: Whether the training is whole. Otherwise another one starts from its model: the test split is not
            looked at, and there are neither `test.npz` nor pictures.

    Returns:
        The accuracy on the test split, 0..1; `None` if that was not looked at.

    Raises:
        UserError: As for `train`.
        lambda_keras.zoo.errors.TryAgainError: As for `train`.
    """
    strategy = strategy or tf.distribute.get_strategy()
    _check_devices(recipe, strategy)
    folder = Path(out)
    chief = is_chief(strategy)
    verbose = verbose and chief
    is_new = overwrite or not checkpoints.written(folder / run_folder.CHECKPOINTS)
    # Before the folder is touched: whatever is wrong with the recipe should be found here.
    assembly = assemble.assemble(recipe, dataset, strategy, stop.raised, is_new)
    if chief:
        run_folder.start(folder, recipe, overwrite)
    # The others read the folder once it is there.
    wait_for_workers(strategy)
    if chief and assembly.trainer.start is not None:
        with writing_run(folder), replacing(folder / run_folder.START) as partial:
            partial.write_text(f"{assembly.trainer.start}\n", encoding="utf-8")
    final_weights = FinalWeights(assembly.trainer, assembly.model, folder)
    epochs = Epochs(assembly, final_weights, folder, verbose)
    try:
        epochs.train()
        final_weights.take()
        if is_last:
            return _finish(assembly, final_weights, epochs.monitoring.log.rows, folder, stop, verbose)
        if chief:
            with writing_run(folder):
                outputs.write_model(assembly.model, dataset, recipe, folder)
        stop.check()
        return None
    except NonFiniteLossError as error:
        raise UserError(f"{error}; {epochs.checkpoints.describe_latest()}") from error
    except LOST as error:
        raise WorkerLostError(
            f"another worker is gone; start all again, {epochs.checkpoints.describe_latest()}"
        ) from error
    finally:
        epochs.close()


def _check_devices(recipe, strategy):
    if keras.config.backend() != "tensorflow":
        raise UserError(f"training needs KERAS_BACKEND=tensorflow, got {keras.config.backend()}")
    if recipe.training.xla and strategy.num_replicas_in_sync > 1:
        raise UserError("training.xla is for --strategy default; a TPU always compiles with XLA, the others cannot")


def _finish(assembly, final_weights, rows, folder, stop, verbose):
    """Evaluates on the test split, writes the files of a finished run and returns the accuracy."""
    trainer = assembly.trainer
    test = Evaluator(trainer, trainer.dataset.test, averaged=not final_weights.are_best).evaluate()
    if is_chief(trainer.strategy):
        with writing_run(folder):
            # All workers have done their part, so the chief may stop alone.
            outputs.write(assembly.model, trainer.dataset, trainer.recipe, rows, folder, stop.check)
    if verbose:
        outputs.report(test["accuracy"], test["images"], folder)
    return test["accuracy"]
