"""`lambda-zoo train`: a recipe in, a run folder out."""

import contextlib
from pathlib import Path

import tensorflow as tf

from lambda_keras.zoo import run_folder
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import writing_run
from lambda_keras.zoo.folder_lock import locked
from lambda_keras.zoo.recipe import Recipe
from lambda_keras.zoo.training import outputs, session
from lambda_keras.zoo.training.co_training import task_of
from lambda_keras.zoo.training.evaluator import Evaluator
from lambda_keras.zoo.training.preemption import StopFlag
from lambda_keras.zoo.training.strategy import is_chief


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
    session.check_devices(recipe.training, strategy)
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
        stop: The flag that signals raise, the same for all trainings in a row: whichever is running stops.
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
    session.check_devices(recipe.training, strategy)
    folder, chief = Path(out), is_chief(strategy)

    def finish(assembly, final_weights, rows):
        """Evaluates on the test split and writes the files of a finished run."""
        trainer = assembly.trainer
        if not is_last:
            if chief:
                with writing_run(folder):
                    outputs.write_model(assembly.model, dataset, recipe, folder)
            stop.check()
            return None
        test = Evaluator(trainer, dataset.test, averaged=not final_weights.are_best).evaluate()
        if chief:
            with writing_run(folder):
                # All workers have done their part, so the chief may stop alone.
                outputs.write(assembly.model, dataset, recipe, rows, folder, stop.check)
        if verbose and chief:
            outputs.report(test["accuracy"], test["images"], folder)
        return test["accuracy"]

    return session.run(
        task_of(recipe, dataset),
        folder,
        stop,
        strategy,
        evaluator=lambda trainer: Evaluator(trainer, dataset.validation),
        finish=finish,
        overwrite=overwrite,
        verbose=verbose,
    )
