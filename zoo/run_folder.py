"""The folder a training run leaves behind, in which no file is ever half written."""

import shutil
from pathlib import Path

from lambda_keras.atomic import replacing
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.recipe import Recipe

RECIPE = "recipe.yaml"
METRICS = "metrics.csv"
MODEL = "model.keras"
RECORD = "record.json"
TEST_SPLIT = "test.npz"
CURVES = "curves.png"
PREDICTIONS = "predictions.png"
BEST_WEIGHTS = "best.weights.h5"
START = "start.txt"
FILES = (RECIPE, METRICS, MODEL, RECORD, TEST_SPLIT, CURVES, PREDICTIONS, BEST_WEIGHTS, START)
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
EVALUATION = "evaluation"


def has_begun(path: str | Path) -> bool:
    """Whether something was trained in a folder; a run that ended before that has left its recipe at most.

    Args:
        path: The folder, which need not exist.
    """
    return any(Path(path, name).exists() for name in (CHECKPOINTS, METRICS, MODEL))


def check(path: str | Path, recipe: Recipe) -> None:
    """Refuses a folder that holds the run of another recipe, unless nothing was trained there yet.

    A folder holds one run: its checkpoints can be resumed only with the settings they were made with.

    Args:
        path: The folder.
        recipe: The `lambda_keras.zoo.recipe.Recipe` that is to be trained there.

    Raises:
        UserError: There is another run.
    """
    file = Path(path, RECIPE)
    if not file.is_file():
        if Path(path, CHECKPOINTS).exists():
            raise UserError(f"{path} holds checkpoints without their {RECIPE}; give another folder or --overwrite")
        return
    if not has_begun(path):
        return
    earlier = recipe_file.load(str(file))
    differing = [
        f"{section}.{key} {getattr(getattr(earlier, section), key)!r} there, {value!r} here"
        for section, values in recipe
        for key, value in values
        if getattr(getattr(earlier, section), key) != value
    ]
    if differing:
        raise UserError(
            f"{path} holds a run with other settings ({'; '.join(differing)}); give another folder with --out, or "
            "--overwrite to remove that run"
        )


def start(path: str | Path, recipe: Recipe, overwrite: bool = False) -> Path:
    """Makes the folder of a run, or resumes the run that it holds.

    Args:
        path: The folder. Files in it that are not a run's own stay.
        recipe: The `lambda_keras.zoo.recipe.Recipe`.
        overwrite: Whether to remove the run that the folder holds.

    Returns:
        The folder as a `pathlib.Path`.

    Raises:
        UserError: The folder cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            remove(folder)
        with replacing(folder / RECIPE) as partial:
            partial.write_text(recipe_file.dump(recipe), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write a run to {folder}: {error.strerror}; give another folder with --out") from error
    return folder


def remove(folder: Path) -> None:
    """Removes the run that a folder holds; files in it that are not a run's own stay.

    Args:
        folder: The folder.
    """
    # The recipe last: while checkpoints are left, `check` must see whose they are.
    for name in (CHECKPOINTS, TENSORBOARD, EVALUATION):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    for name in reversed(FILES):
        (folder / name).unlink(missing_ok=True)
