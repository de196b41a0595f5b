"""The folder a training run leaves behind, in which no file is ever half written."""

import json
import re
from pathlib import Path

from lambda_keras.atomic import partials, replacing
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.errors import UserError, writing
from lambda_keras.zoo.recipe import AnyRecipe, Section

RECIPE = "recipe.yaml"
METRICS = "metrics.csv"
MODEL = "model.keras"
RECORD = "record.json"
TEST_SPLIT = "test.npz"
CURVES = "curves.png"
PREDICTIONS = "predictions.png"
BEST_WEIGHTS = "best.weights.h5"
START = "start.txt"
CARD = "model_card.md"
INPUT = "input.json"
FILES = (RECIPE, METRICS, MODEL, RECORD, TEST_SPLIT, CURVES, PREDICTIONS, BEST_WEIGHTS, START, CARD, INPUT)
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
EVALUATION = "evaluation"
# What a run writes into its folders, and what an evaluation of it does; users may keep files of their own there.
IN_FOLDERS = {
    CHECKPOINTS: r"checkpoint(\.tmp\w*)?|ckpt-\d+(\.(index|data-\d+-of-\d+)(\.tempstate\d+)?|_temp(/.*)?)",
    TENSORBOARD: r"(training|validation|position_tables)(/events\.out\.tfevents\..*)?",
    EVALUATION: r"(evaluation|boxes|masks)\.json|per_class\.csv|confusion_matrix\.png",
}


def model_file(source: str | Path) -> Path:
    """The file of a model, which need not be there.

    Args:
        source: The file, or the run folder that has it.
    """
    path = Path(source)
    return path / MODEL if path.is_dir() else path


def has_begun(path: str | Path) -> bool:
    """Whether something was trained in a folder; a run that ended before that has left its recipe at most.

    Args:
        path: The folder, which need not exist.
    """
    return any(Path(path, name).exists() for name in (CHECKPOINTS, METRICS, MODEL))


def check(path: str | Path, recipe: AnyRecipe, overwrite: bool = False) -> None:
    """Refuses a folder that holds the run of another recipe, or files with the names of a run that are of none.

    A folder holds one run: its checkpoints can be resumed only with the settings they were made with. A recipe of which
    nothing was trained yet is in nobody's way.

    Args:
        path: The folder.
        recipe: The recipe that is to be trained there.
        overwrite: Whether the run that the folder holds is to be removed, so that it may be another one.

    Raises:
        UserError: There is another run, or what is no run.
    """
    file = Path(path, RECIPE)
    if not file.is_file():
        others = [name for name in (*FILES, CHECKPOINTS, TENSORBOARD) if Path(path, name).exists()]
        if others:
            raise UserError(
                f"{path} holds {', '.join(others)}, but no run, which has a {RECIPE}; give another folder with --out, "
                "or move them away"
            )
        return
    if overwrite:
        try:
            recipe_file.load_as(type(recipe), str(file))
        except UserError as error:
            raise UserError(
                f"{path} holds no run that --overwrite can remove: {error}; give another folder with --out"
            ) from error
        return
    if not has_begun(path):
        return
    earlier = recipe_file.load_as(type(recipe), str(file))
    differing = [line for name, section in recipe for line in _differing(name, getattr(earlier, name), section)]
    if differing:
        raise UserError(
            f"{path} holds a run with other settings ({'; '.join(differing)}); give another folder with --out, or "
            "--overwrite to remove that run"
        )


def _differing(name, there, here):
    """Yields what differs between two sections, with the names of the keys; sections inside are taken apart."""
    for key, value in here:
        earlier = getattr(there, key)
        if isinstance(value, Section) and isinstance(earlier, Section):
            yield from _differing(f"{name}.{key}", earlier, value)
        elif earlier != value:
            values = [part.model_dump() if isinstance(part, Section) else part for part in (earlier, value)]
            yield "{}.{} {!r} there, {!r} here".format(name, key, *values)


def check_input(path: str | Path, images: dict[str, str]) -> None:
    """Refuses to continue a run whose images came in another order, or were others.

    Args:
        path: The folder of a run that has checkpoints.
        images: What `write_input` is to find there.

    Raises:
        UserError: The run had others, or what it had is not known.
    """
    file = Path(path, INPUT)
    try:
        earlier = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {file}: {error}; give another folder with --out to start anew") from error
    if earlier != images:
        there = earlier or "none written, as before record files were read in streams"
        raise UserError(
            f"{path} holds a run on other images, or in another order ({there} there, {images} here), which cannot be "
            "continued with these; give another folder with --out, or --overwrite to remove that run"
        )


def write_input(folder: Path, images: dict[str, str]) -> None:
    """Writes what must be the same when a run is continued, and is not in its recipe.

    Args:
        folder: The folder of a run that begins.
        images: `lambda_keras.zoo.training.task.Task.images`; where there is nothing to say there is no file.
    """
    if images:
        with replacing(folder / INPUT) as partial:
            partial.write_text(json.dumps(images, indent=1) + "\n", encoding="utf-8")
    else:
        (folder / INPUT).unlink(missing_ok=True)


def start(path: str | Path, recipe: AnyRecipe, overwrite: bool = False) -> Path:
    """Makes the folder of a run, or resumes the run that it holds.

    Args:
        path: The folder, which is locked. Files in it that are not a run's own stay.
        recipe: The recipe.
        overwrite: Whether to remove the run that the folder holds.

    Returns:
        The folder as a `pathlib.Path`.

    Raises:
        UserError: The folder cannot be made or written to.
    """
    folder = Path(path)
    with writing(f"a run to {folder}", "; give another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            remove(folder)
        # The folder is locked, so whoever wrote these is dead.
        for partial in (partial for name in FILES for partial in partials(folder / name)):
            partial.unlink(missing_ok=True)
        with replacing(folder / RECIPE) as partial:
            partial.write_text(recipe_file.dump(recipe), encoding="utf-8")
    return folder


def remove(folder: Path) -> None:
    """Removes what the run that a folder holds has written; all other files stay, in its folders too.

    Args:
        folder: The folder. Without a recipe it holds no run, and everything stays.
    """
    if not (folder / RECIPE).is_file():
        return
    # The recipe last: while checkpoints are left, `check` must see whose they are.
    for name, written in IN_FOLDERS.items():
        # What is in a folder before the folder.
        for path in sorted((folder / name).rglob("*"), reverse=True):
            if re.fullmatch(written, path.relative_to(folder / name).as_posix()):
                _remove(path)
        _remove(folder / name)
    for name in reversed(FILES):
        (folder / name).unlink(missing_ok=True)


def _remove(path):
    """Removes a file, or a folder in which nothing is; a link to a folder stays."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
    elif not path.is_symlink() and not any(path.iterdir()):
        path.rmdir()
