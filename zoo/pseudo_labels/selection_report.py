"""`report.html`: which labelled images were selected, which were left out as copies, and how some of them look."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np

from lambda_keras.zoo import report_page
from lambda_keras.zoo.pseudo_labels import plots
from lambda_keras.zoo.pseudo_labels.pictures import SIDE
from lambda_keras.zoo.pseudo_labels.selection import Settings

# What is counted of each class, one after the other.
COUNTS = ("labelled", "above the threshold", "without copies", "records")
# A picture of an image: its id and a PNG file.
Picture = tuple[str, bytes]


@dataclass(frozen=True)
class Content:
    """What a report shows.

    Attributes:
        teacher: The teacher's name.
        settings: The `lambda_keras.zoo.pseudo_labels.selection.Settings`.
        figures: `(value, name)` of the figures that stand first.
        remarks: What is to be known, lines.
        class_names: The name of each class.
        confidence: Of the labelled images, the probability of the most probable class `[images]`.
        counts: Integers `[classes, 4]`, see `COUNTS`.
        evaluation_copies: Some images that were left out, each with the evaluation image that it is a copy of.
        duplicates: Some that were left out, each with the image that it is a copy of.
        examples: Some selected images with the name and the probability of their most probable class.
    """

    teacher: str
    settings: Settings
    figures: list[tuple[str, str]]
    remarks: list[str]
    class_names: tuple[str, ...]
    confidence: np.ndarray
    counts: np.ndarray
    evaluation_copies: list[tuple[Picture, Picture]]
    duplicates: list[tuple[Picture, Picture]]
    examples: list[tuple[Picture, str, float]]


def render(content: Content) -> str:
    """Returns the report as HTML; every text of the user's is escaped.

    Args:
        content: A `Content`.
    """
    settings = content.settings
    wanted = "all images once" if settings.per_class is None else f"{settings.per_class:,} records of each class"
    return report_page.page(
        title=f"Pseudo-labels of {len(content.class_names):,} classes",
        subtitle=f"by {content.teacher}; probability at least {settings.threshold:g}, {wanted}",
        figures=content.figures,
        sections=[
            ("To be known", report_page.bullets(content.remarks)),
            ("Confidence", _confidence(content)),
            ("Classes before and after", _classes(content)),
            ("Copies of evaluation images", _pairs(content.evaluation_copies, "the evaluation image")),
            ("Near-duplicates", _pairs(content.duplicates, "the one that stays")),
            ("Examples", _examples(content)),
        ],
        largest_side=SIDE,
    )


def _confidence(content):
    draw = functools.partial(plots.confidence, content.confidence, content.settings.threshold)
    return report_page.plot(draw, "histogram of the probability of the most probable class", "plot")


def _classes(content):
    draw = functools.partial(plots.classes, content.counts[:, 0], content.counts[:, 3], content.class_names)
    rows = [
        [escape(name), *(f"{count:,}" for count in counts)]
        for name, counts in zip(content.class_names, content.counts.tolist(), strict=True)
    ]
    plot = report_page.plot(draw, "images of each class before and after", "plot")
    return plot + report_page.table(("class", *COUNTS), rows)


def _pairs(pairs: Iterable[tuple[Picture, Picture]], original: str) -> str:
    figures = [_figure(copy, "left out") + _figure(of, original) for copy, of in pairs]
    if not figures:
        return ""
    return f"<p>The first {len(figures)}; their number is in the figures above.</p>" + _grid(figures)


def _examples(content):
    return _grid(_figure(picture, f"{name} {share:.0%}") for picture, name, share in content.examples)


def _figure(picture, caption):
    name, png = picture
    text = f"{escape(caption)}<br><span class='soft'>{escape(name)}</span>"
    return f"<figure>{report_page.image(png, name)}<figcaption>{text}</figcaption></figure>"


def _grid(figures):
    return "<div class='pictures'>" + "\n".join(figures) + "</div>"
