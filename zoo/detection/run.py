"""`lambda-zoo detect train`: a recipe in, a run folder with a detector out."""

import contextlib
from pathlib import Path

import tensorflow as tf

from lambda_keras.zoo import run_folder
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.detection import outputs
from lambda_keras.zoo.detection.data.parts import Part
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.detection.task import Parts, task_of
from lambda_keras.zoo.detection.validation import Validation
from lambda_keras.zoo.errors import writing_run
from lambda_keras.zoo.folder_lock import locked
from lambda_keras.zoo.training import session
from lambda_keras.zoo.training.preemption import StopFlag
from lambda_keras.zoo.training.strategy import is_chief
from lambda_keras.zoo.training.task import Row


def train(
    recipe: DetectorRecipe,
    out: str | Path,
    train_part: Part,
    validation_part: Part,
    strategy: tf.distribute.Strategy | None = None,
    overwrite: bool = False,
    verbose: bool = True,
) -> Row:
    """Trains the recipe's detector, evaluates it after each epoch and writes the run folder.

    A run that was stopped resumes from its newest checkpoint, with the same numbers as if it had not been stopped.

    The folder holds `recipe.yaml`, `metrics.csv`, `model.keras` (float32, with the averaged or best weights where the
    recipe asks for such), `record.json`, `model_card.md`, `checkpoints/` and `tensorboard/`; `start.txt` says what
    became of the weights that the backbone starts from.

    Args:
        recipe: A `lambda_keras.zoo.detection.recipe.DetectorRecipe`.
        out: The folder to write. Another training into it is refused meanwhile.
        train_part: The pictures to train on, with masks if the recipe has them.
        validation_part: The pictures to evaluate on.
        strategy: From `lambda_keras.zoo.training.strategy.create`; by default that of one device.
        overwrite: Whether to remove the run that the folder holds instead of resuming it.
        verbose: Whether to show the progress.

    Returns:
        The row of `metrics.csv` that the model is of: average precisions are between 0 and 1, `None` where there is no
        object to find.

    Raises:
        UserError: The recipe does not fit the model, the data or the devices, the folder holds another run, is in use
            or cannot be written, or the loss is not finite.
        lambda_keras.zoo.errors.TryAgainError: A signal stopped it, or another worker is gone; the same call resumes it.

    Example:
        >>> recipe = recipe_file.load_as(DetectorRecipe, "stamps")
        >>> train_part = coco_json.load("stamps/instances_train.json", "stamps/train", with_masks=True)
        >>> validation_part = coco_json.load("stamps/instances_val.json", "stamps/val", with_masks=True)
        >>> train(recipe, "runs/stamps", train_part, validation_part)["val_mask_ap50"]  # doctest: +SKIP
        0.31
    """
    strategy = strategy or tf.distribute.get_strategy()
    session.check_devices(recipe.training, strategy)
    folder, chief = Path(out), is_chief(strategy)

    def finish(assembly, final_weights, rows):
        task = assembly.trainer.task
        best = max(rows, key=lambda row: row[task.best_by] or 0.0) if final_weights.are_best else rows[-1]
        if chief:
            with writing_run(folder):
                outputs.write(assembly.model, task.config, recipe, train_part, best, folder)
        if verbose and chief:
            say(f"Validation: {task.precisions(best)}")
            say(f"Wrote {folder}")
        return best

    with locked(out) if chief else contextlib.nullcontext():
        run_folder.check(out, recipe, overwrite)
        with StopFlag() as stop:
            return session.run(
                task_of(recipe, Parts(train_part, validation_part)),
                folder,
                stop,
                strategy,
                evaluator=lambda trainer: Validation(trainer, validation_part),
                finish=finish,
                overwrite=overwrite,
                verbose=verbose,
            )
