"""The plots of a selection."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from matplotlib.figure import Figure

from lambda_keras.zoo import fonts
from lambda_keras.zoo.plots import READABLE_CLASSES, TEXT_COLOUR, TRAINING_COLOUR, VALIDATION_COLOUR, short

BINS = 50


def confidence(probabilities: np.ndarray, threshold: float, path: str | Path | BinaryIO) -> None:
    """Draws how many images have which probability of their most probable class, and where the threshold is.

    Args:
        probabilities: `[images]`.
        threshold: The lowest that is selected.
        path: The PNG file, or a binary stream.
    """
    figure, axes = _axes()
    axes.hist(probabilities, bins=BINS, range=(0, 1), color=TRAINING_COLOUR)
    axes.axvline(threshold, color=VALIDATION_COLOUR, linestyle="--", label="threshold")
    axes.legend(frameon=False)
    axes.set_xlabel("probability of the most probable class", color=TEXT_COLOUR)
    figure.savefig(path)


def classes(before: np.ndarray, after: np.ndarray, class_names: Sequence[str], path: str | Path | BinaryIO) -> None:
    """Draws how many images each class has, and how many records of it were selected.

    Up to `READABLE_CLASSES` classes have their names; more are drawn as two lines, from the largest class on.

    Args:
        before: Integers `[classes]`: labelled images.
        after: Integers `[classes]`: records.
        class_names: The name of each class.
        path: The PNG file, or a binary stream.
    """
    fonts.add_for(class_names)
    figure, axes = _axes()
    places = np.arange(len(class_names))
    if len(class_names) <= READABLE_CLASSES:
        axes.bar(places - 0.2, before, 0.4, color=TRAINING_COLOUR, label="labelled images")
        axes.bar(places + 0.2, after, 0.4, color=VALIDATION_COLOUR, label="selected records")
        axes.set_xticks(places, list(map(short, class_names)), rotation=90, parse_math=False)
    else:
        order = np.argsort(-before, kind="stable")
        axes.plot(places, before[order], color=TRAINING_COLOUR, label="labelled images")
        axes.plot(places, after[order], ".", markersize=2, color=VALIDATION_COLOUR, label="selected records")
        axes.set_xlabel("classes, the one with most images first", color=TEXT_COLOUR)
    axes.legend(frameon=False)
    figure.savefig(path)


def _axes():
    figure = Figure(figsize=(10, 3.6), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.set_ylabel("images", color=TEXT_COLOUR)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
