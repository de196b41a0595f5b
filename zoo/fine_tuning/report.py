"""`report.html`: how a fine-tuning went, and what the model can."""

import functools
import math
from dataclasses import dataclass
from html import escape

import tensorflow as tf

from lambda_keras.zoo import plots, report_page
from lambda_keras.zoo.data.files.parts import PARTS
from lambda_keras.zoo.evaluation.report import EvaluationReport, wilson_interval
from lambda_keras.zoo.fine_tuning.predictions import Predictions


@dataclass(frozen=True)
class Content:
    """What a report shows.

    Attributes:
        model: The model's name.
        parameters: How many it has.
        class_names: The name of each label.
        classes: `(class name, training, validation, test images)` of each class.
        remarks: What was found in the data, lines.
        start: Which weights the training started from, in words.
        start_table: What became of each of them; empty if there are none.
        plan: What was done, lines.
        rows: A row of `lambda_keras.zoo.training.metrics_log.MetricsLog` for each epoch of both phases.
        head_epochs: How many of them are of the first phase.
        kept_epoch: That of the weights in `model.keras`, counted over both phases.
        evaluation: The figures of the test split.
        predictions: The predictions that they are of.
        explanations: `(title, PNG)` of each picture of what the model looked at.
        command: The command that repeats the training.
        recipe: The resolved recipe, as YAML.
        versions: What it was made with, in words.
    """

    model: str
    parameters: int
    class_names: tuple[str, ...]
    classes: list[tuple[str, int, int, int]]
    remarks: list[str]
    start: str
    start_table: str
    plan: list[str]
    rows: list
    head_epochs: int
    kept_epoch: int
    evaluation: EvaluationReport
    predictions: Predictions
    explanations: list[tuple[str, bytes]]
    command: str
    recipe: str
    versions: str


def render(content: Content) -> str:
    """Returns the report as HTML; every text of the user's is escaped.

    Args:
        content: A `Content`.
    """
    sections = [
        ("Curves", _curves(content)),
        ("Classes", _classes(content)),
        ("Which class is taken for which", _confusion(content)),
        ("Worst mistakes", _mistakes(content)),
        ("What the model looked at", _explanations(content)),
        ("Data", _data(content)),
        ("Start", _start(content)),
        ("Repeat it", _command(content)),
    ]
    pictures = content.predictions.pictures.values()
    return report_page.page(
        title=f"{content.model} on {len(content.class_names)} classes",
        subtitle=f"{content.parameters:,} parameters, from {content.start}. {content.versions}",
        figures=_figures(content),
        sections=sections,
        largest_side=max((picture.shape[0] for picture in pictures), default=0),
    )


def _figures(content):
    evaluation = content.evaluation
    low, high = wilson_interval(round(evaluation.top_1 * evaluation.images), evaluation.images)
    minutes = sum(row["seconds"] or 0 for row in content.rows) / 60
    counts = [sum(column) for column in list(zip(*content.classes, strict=True))[1:]]
    return [
        (f"{evaluation.top_1:.1%}", f"right of {evaluation.images:,} test images"),
        (f"{low:.1%} – {high:.1%}", "95 % confidence interval"),
        (" / ".join(f"{count:,}" for count in counts), "images for training / validation / test"),
        (f"{content.kept_epoch} of {len(content.rows)}", "epoch of the weights, by validation"),
        (f"{minutes:.1f} min", "of training steps"),
        (f"{evaluation.calibration_error:.3f}", "expected calibration error"),
    ]


def _curves(content):
    note = ""
    if content.head_epochs:
        note = "<p class='soft'>Before the dashed line the classifier alone was trained, after it all layers.</p>"
    draw = functools.partial(plots.curves, content.rows, head_epochs=content.head_epochs)
    return report_page.plot(draw, "curves of loss, accuracy and learning rate", "plot") + note


def _confusion(content):
    draw = functools.partial(plots.confusion_matrix, content.evaluation.confusion, content.class_names)
    return report_page.plot(draw, "confusion matrix", "plot square")


def _classes(content):
    confusion = content.evaluation.confusion
    rows = []
    for label, (figures, (name, *counts)) in enumerate(zip(content.evaluation.classes, content.classes, strict=True)):
        right, taken = confusion[label, label], confusion[:, label].sum()
        cells = [
            escape(name),
            *(f"{count:,}" for count in counts),
            _percent(figures.recall),
            *_interval(figures.recall, right, figures.images),
            _percent(figures.precision),
            _interval(figures.precision, right, taken)[0],
            _percent(figures.f1),
        ]
        rows.append(cells)
    header = ("class", *PARTS, "recall", "95 % interval", "of recall", "precision", "95 % interval", "F1")
    note = (
        "<p class='soft'>Recall is the share of a class's test images that are recognised; precision the share of "
        "images taken for a class that are of it. Intervals are Wilson's: with few test images they are wide.</p>"
    )
    return note + report_page.table(header, rows)


def _interval(share, count, total):
    """The confidence interval of a share as text and as a bar."""
    if not total:
        return "–", ""
    low, high = wilson_interval(count, total)
    interval = f"<i style='left:{low:.1%};width:{high - low:.1%}'></i>"
    return f"{low:.0%} – {high:.0%}", f"<span class='track'>{interval}<b style='left:{share:.1%}'></b></span>"


def _percent(share):
    return "–" if math.isnan(share) else f"{share:.1%}"


def _mistakes(content):
    predictions, names = content.predictions, content.class_names
    wrong = int((predictions.predicted != predictions.labels).sum())
    if not wrong:
        return "<p>None: all test images are recognised.</p>"
    figures = []
    for index in predictions.worst:
        predicted, label = predictions.predicted[index], predictions.labels[index]
        shares = predictions.probabilities[index]
        png = tf.io.encode_png(predictions.pictures[index]).numpy()
        picture = report_page.image(png, f"a test image of {names[label]}")
        file = predictions.names[index].rpartition("/")[2]
        caption = (
            f"<span class='wrong'>{escape(names[predicted])} {shares[predicted]:.0%}</span><br>"
            f"is {escape(names[label])} ({shares[label]:.0%})<br><span class='soft'>{escape(file)}</span>"
        )
        figures.append(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>")
    note = (
        f"<p class='soft'>{len(figures)} of {wrong:,} wrong test images, those first of which the model was surest.</p>"
    )
    return note + "<div class='pictures'>" + "\n".join(figures) + "</div>"


def _explanations(content):
    if not content.explanations:
        return ""
    note = (
        "<p class='soft'>The exact weights with which one query, the dot, of the last lambda layer sums its context: "
        "red adds, blue subtracts; the softmax of the keys makes content small, so look at each bar. "
        "Beside it Grad-CAM: where the last map of the network raises the logit of the predicted class.</p>"
    )
    return note + "\n".join(
        f"<figure>{report_page.image(png, title, 'plot')}<figcaption>{escape(title)}</figcaption></figure>"
        for title, png in content.explanations
    )


def _data(content):
    return report_page.bullets(content.remarks)


def _start(content):
    text = f"<p>The training started from {escape(content.start)}.</p>"
    if content.start_table:
        text += f"<pre>{escape(content.start_table)}</pre>"
    return text + report_page.bullets(content.plan)


def _command(content):
    recipe = f"<details><summary>the resolved recipe</summary><pre>{escape(content.recipe)}</pre></details>"
    return f"<pre>{escape(content.command)}</pre>{recipe}"
