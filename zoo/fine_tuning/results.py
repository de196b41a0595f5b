"""What a finished fine-tuning leaves beside the files of a training: labels, predictions and the report."""

import platform
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.atomic import replacing
from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.evaluation.report import EvaluationReport, evaluate_probabilities
from lambda_keras.zoo.fine_tuning import explanations, predictions, report, schedule
from lambda_keras.zoo.fine_tuning.schedule import Plan
from lambda_keras.zoo.fine_tuning.source import Source
from lambda_keras.zoo.fine_tuning.start import Start
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.model_source import find
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.metrics_log import MetricsLog

LABELS = "labels.txt"
PREDICTIONS = "predictions.csv"
REPORT = "report.html"


def write(
    out: Path,
    dataset: Dataset,
    source: Source,
    start: Start,
    plan: Plan,
    classes: list[tuple[str, int, int, int]],
    command: str,
    check: Callable[[], None],
) -> EvaluationReport:
    """Classifies the test split once more and writes the files.

    Args:
        out: The folder, whose training has ended.
        dataset: The `lambda_keras.zoo.data.splits.Dataset`.
        source: The `lambda_keras.zoo.fine_tuning.source.Source` it is from.
        start: The `lambda_keras.zoo.fine_tuning.start.Start`.
        plan: The `lambda_keras.zoo.fine_tuning.schedule.Plan`.
        classes: From `lambda_keras.zoo.fine_tuning.data_summary.images_of_classes`.
        command: The command that repeats the training.
        check: A function that raises an error where a signal has come; it is called between two pieces of work.

    Returns:
        A `lambda_keras.zoo.evaluation.report.EvaluationReport`.
    """
    names = dataset.class_names
    with replacing(out / LABELS) as partial:
        partial.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    check()
    classifier = Classifier(find(out))
    predicted = predictions.predict(classifier, dataset.test, dataset, source.test_names(dataset.test.count))
    predictions.write(predicted, names, out / PREDICTIONS)
    check()
    evaluation = evaluate_probabilities(predicted.probabilities, predicted.labels, names)
    head = out / schedule.HEAD if plan.head else None
    rows, head_epochs, kept_epoch = _epochs(out, head, plan.whole.training)
    content = report.Content(
        model=plan.whole.model.name,
        parameters=classifier.model.count_params(),
        class_names=names,
        classes=classes,
        remarks=source.remarks,
        start=start.describe(plan.first.model.fresh_classifier),
        start_table=_start_table(head or out),
        plan=plan.describe(dataset.train.count),
        rows=rows,
        head_epochs=head_epochs,
        kept_epoch=kept_epoch,
        evaluation=evaluation,
        predictions=predicted,
        explanations=explanations.draw(classifier, predicted),
        command=command,
        recipe=recipe_file.dump(plan.whole),
        versions=f"lambda-keras {lk.__version__}, Keras {keras.__version__}, TensorFlow {tf.__version__}, "
        f"Python {platform.python_version()}",
    )
    check()
    with replacing(out / REPORT) as partial:
        partial.write_text(report.render(content), encoding="utf-8")
    say(f"Wrote {out / REPORT}")
    return evaluation


def _epochs(out, head, training):
    """The rows of both phases, numbered through; the epochs of the first; the number of that in `model.keras`."""
    log = MetricsLog(out / run_folder.METRICS, Classification, epochs=None)
    rows = MetricsLog(head / run_folder.METRICS, Classification, epochs=None).rows if head else []
    head_epochs = len(rows)
    rows = [*rows, *({**row, "epoch": row["epoch"] + head_epochs} for row in log.rows)]
    # As `lambda_keras.zoo.training.run.train` does it: without early stopping the last epoch stays.
    kept_epoch = len(log.rows) if training.early_stopping_epochs is None else log.best_epoch()
    return rows, head_epochs, head_epochs + kept_epoch


def _start_table(folder):
    table = folder / run_folder.START
    return table.read_text(encoding="utf-8") if table.exists() else ""
