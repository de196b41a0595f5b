"""`lambda-zoo fine-tune`: a folder of pictures in; a model, and a report on how well it does, out."""

import time
from pathlib import Path

from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.command_line import is_quiet, narrate
from lambda_keras.zoo.data.sources import image_table
from lambda_keras.zoo.errors import UserError, writing_run, writing_to
from lambda_keras.zoo.evaluation.report import EvaluationReport
from lambda_keras.zoo.fine_tuning import data_summary, results, schedule, speed
from lambda_keras.zoo.fine_tuning.settings import Settings
from lambda_keras.zoo.fine_tuning.source import CatalogDataset, Files, values_of_files
from lambda_keras.zoo.fine_tuning.start import find_start
from lambda_keras.zoo.folder_lock import locked
from lambda_keras.zoo.models.labelled_data import is_files
from lambda_keras.zoo.training.preemption import StopFlag
from lambda_keras.zoo.training.run import train_phase

# Of a time that is given, what training may take; a step is not always as fast as the few that are measured.
SHARE_OF_BUDGET = 0.9


def fine_tune(settings: Settings) -> EvaluationReport:
    """Fine-tunes a model on a user's images, and reports what became of it.

    First the classifier alone is trained, then all layers, see `lambda_keras.zoo.fine_tuning.schedule`; each is a
    training by `lambda_keras.zoo.training.run.train`, the first in the folder `head`. A run that was stopped resumes,
    and ends as if it had not been.

    The folder gets what `lambda_keras.zoo.training.run.train` writes, and `report.html`, `labels.txt`,
    `predictions.csv` (of the test split), `images.csv` (the images of each split) and `left_out.csv` (the others).

    Args:
        settings: A `Settings`.

    Returns:
        The `lambda_keras.zoo.evaluation.report.EvaluationReport` of the test split.

    Raises:
        UserError: The model, the weights, the data or a setting are wrong, or the folder cannot be written, is in use
            or holds another run.
        lambda_keras.zoo.errors.TryAgainError: A signal stopped it; the same call resumes it.
    """
    begin = time.monotonic()
    out = Path(settings.out)
    start = find_start(settings)
    source = _find_source(settings, start)
    with locked(out):
        return _fine_tune(settings, out, start, source, begin)


def _fine_tune(settings, out, start, source, begin):
    """Does the same in a folder that is locked."""
    epochs = _epochs_of_run(settings, out) if settings.budget else settings.epochs
    plan = _plan(settings, start, source, epochs)
    _prepare_folder(settings, plan, source, out)

    dataset = source.load(plan.whole.data, out)
    classes = data_summary.images_of_classes(dataset)
    if not is_quiet():
        data_summary.print_classes(classes)
    for line in source.remarks:
        narrate(line)
    if settings.budget and epochs is None:
        epochs = _epochs_within_budget(settings, start, plan, dataset, begin)
        plan = _plan(settings, start, source, epochs)
    narrate(f"start: {start.describe(plan.first.model.fresh_classifier)}")
    for line in plan.describe(dataset.train.count):
        narrate(line)

    # Before the first phase, so that a resumed run finds the epochs that the budget allowed.
    run_folder.start(out, plan.whole)
    command = settings.command(plan.whole.training.epochs)
    # One flag for all: a signal that comes as one of them ends stops the next.
    with StopFlag() as stop:
        if plan.head:
            _train_head(plan.head, out / schedule.HEAD, dataset, stop)
        train_phase(plan.whole, out, dataset, stop, verbose=not is_quiet())
        with writing_run(out):
            return results.write(out, dataset, source, start, plan, classes, command, stop.check)


def _find_source(settings, start):
    path = Path(settings.data)
    if is_files(path):
        if settings.data_dir is not None:
            raise UserError(f"--data-dir is for a dataset by name, got the files {path}")
        if path.is_dir() and Path(settings.out).resolve().is_relative_to(path.resolve()):
            raise UserError(f"--out must not lie in --data, whose folders are classes, got {settings.out} in {path}")
        data = schedule.data_without_number(settings, values_of_files(start.preprocessor))
        return Files(path, start.preprocessor, settings.seed, data.most_pixels)
    if len(path.parts) > 1 or path.is_file():
        what = "no folder" if path.is_file() else "no such folder"
        raise UserError(f"{what}: {path}; give a folder of class folders, a .csv file or a dataset's name")
    if settings.colour:
        raise UserError(f"--colour is for files; the images of the dataset {path} have channels of their own")
    values = {"name": settings.data, "image_size": start.preprocessor.image_size}
    data = schedule.data_without_number(settings, values)
    try:
        return CatalogDataset(data, settings.data_dir, start.preprocessor, start.is_pretrained)
    except UserError as error:
        raise UserError(f"--data {path}: no such folder, and as a dataset: {error}") from error


def _epochs_of_run(settings, out):
    """The epochs that the budget allowed when the run in the folder was started; `None` where there is none."""
    recipe = out / run_folder.RECIPE
    if settings.overwrite or not recipe.is_file():
        return None
    return recipe_file.load(str(recipe)).training.epochs


def _plan(settings, start, source, epochs):
    fresh_classifier = start.is_pretrained and not start.classifies(source.class_names)
    whole = schedule.whole_recipe(settings, start, source.data, source.train_images, epochs, fresh_classifier)
    return schedule.phases(whole, start, settings.head_epochs, settings.out)


def _prepare_folder(settings, plan, source, out):
    """Makes the folder or checks whose it is, and writes what there is to know of the images."""
    head = out / schedule.HEAD
    run_folder.check(out, plan.whole, settings.overwrite)
    if plan.head or settings.overwrite:
        run_folder.check(head, plan.first, settings.overwrite)
    table, data = out / image_table.FILE_IN_RUN, Path(settings.data)
    if data.is_file() and table.is_file() and table.samefile(data) and not (out / run_folder.RECIPE).exists():
        raise UserError(f"--out {out}: a run there would replace the file of --data, {data}; give another folder")
    # What an earlier command left behind that ended before it trained is in nobody's way.
    has_begun = run_folder.has_begun(out) or run_folder.has_begun(head)
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        if settings.overwrite:
            run_folder.remove(head)
            run_folder.remove(out)
        source.prepare(out, settings.overwrite or not has_begun)


def _epochs_within_budget(settings, start, plan, dataset, begin):
    images_per_second, tracing = speed.measure(plan.whole, dataset)
    seconds = SHARE_OF_BUDGET * settings.budget * 60 - (time.monotonic() - begin) - tracing * (2 if plan.head else 1)
    counts = (dataset.train.count, dataset.validation.count, dataset.test.count)

    def head(epochs):
        return schedule.head_epochs(epochs, start, settings.head_epochs)

    epochs = schedule.epochs_within(seconds, counts, images_per_second, plan.whole.training.epochs, head)
    narrate(f"{images_per_second:.1f} images a second here; the budget is enough for {epochs} epochs")
    return epochs


def _train_head(recipe, folder, dataset, stop):
    # The model is the last file of the phase.
    if not (folder / run_folder.MODEL).exists():
        train_phase(recipe, folder, dataset, stop, is_last=False, verbose=not is_quiet())
