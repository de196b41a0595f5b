"""The pictures of a run."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lambda_keras.zoo import fonts

TRAINING_COLOUR = "#4477aa"
VALIDATION_COLOUR = "#ee7733"
WRONG_COLOUR = "#cc3311"
TEXT_COLOUR = "#333333"
GRID_COLUMNS = 10
GRID_ROWS = 5
MISTAKE_ROWS = 2
# Up to this many classes, names and numbers can be read in a confusion matrix.
READABLE_CLASSES = 25
LONGEST_NAME = 20


def curves(rows: Sequence[dict[str, float | None]], path: str | Path | BinaryIO, head_epochs: int = 0) -> None:
    """Draws loss, accuracy and learning rate by epoch.

    Args:
        rows: One dictionary an epoch, as in `lambda_keras.zoo.training.metrics_log.MetricsLog`.
        path: The PNG file, or a binary stream.
        head_epochs: The first epochs of them, in which the classifier alone was trained; a line ends them.
    """
    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(12, 3.8), dpi=120, layout="constrained")
    loss, accuracy, learning_rate = figure.subplots(1, 3)
    for axes, metric in ((loss, "loss"), (accuracy, "accuracy")):
        axes.plot(epochs, [row[metric] for row in rows], ".-", color=TRAINING_COLOUR, label="training (augmented)")
        axes.plot(epochs, [row[f"val_{metric}"] for row in rows], ".-", color=VALIDATION_COLOUR, label="validation")
    loss.set_ylim(bottom=0)
    accuracy.set_ylim(top=1.01)
    loss.legend(frameon=False)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    last = rows[-1]["val_accuracy"]
    accuracy.axhline(last, color=VALIDATION_COLOUR, linewidth=0.8, linestyle=":")
    accuracy.set_title(f"accuracy (validation ends at {last:.1%})", color=TEXT_COLOUR)
    learning_rate.plot(epochs, [row["learning_rate"] for row in rows], ".-", color=TEXT_COLOUR)
    loss.set_title("loss", color=TEXT_COLOUR)
    learning_rate.set_title("learning rate at the end of the epoch", color=TEXT_COLOUR)
    for axes in (loss, accuracy, learning_rate):
        if head_epochs:
            axes.axvline(head_epochs + 0.5, color=TEXT_COLOUR, linewidth=0.8, linestyle="--")
        axes.set_xlabel("epoch", color=TEXT_COLOUR)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def short(name: str) -> str:
    """The name of a class, with an ellipsis where it would push a picture aside."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def predictions(
    images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], path: str | Path
) -> None:
    """Draws a grid of test images with the predicted classes: mistakes first, two rows at most, then others.

    Args:
        images: uint8 `[n, height, width, channels]`, with 1 or 3 channels.
        labels: Integer labels `[n]`.
        probabilities: `[n, classes]`.
        class_names: The name of each label.
        path: The PNG file.
    """
    fonts.add_for(class_names)
    predicted = probabilities.argmax(axis=-1)
    wrong = np.flatnonzero(predicted != labels)
    right = np.flatnonzero(predicted == labels)
    shown_wrong = wrong[: MISTAKE_ROWS * GRID_COLUMNS]
    # A sample, because a dataset may be sorted by class.
    others = np.random.default_rng(0).permutation(right)[: GRID_ROWS * GRID_COLUMNS - len(shown_wrong)]

    figure = Figure(figsize=(1.25 * GRID_COLUMNS, 1.55 * GRID_ROWS + 0.5), dpi=120, layout="constrained")
    title = f"{len(right)} of {len(labels)} test images right ({len(right) / len(labels):.2%})"
    if len(wrong):
        title += ", wrong ones in red"
    if len(wrong) > len(shown_wrong):
        title += f" ({len(shown_wrong)} of {len(wrong)} shown)"
    figure.suptitle(title, color=TEXT_COLOUR)
    grid = figure.subplots(GRID_ROWS, GRID_COLUMNS).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, index in zip(grid, np.concatenate([shown_wrong, others]), strict=False):
        _draw_image(axes, images[index])
        title = f"{short(class_names[predicted[index]])} {probabilities[index].max():.0%}"
        # No name of a class is a formula, whatever dollars are in it.
        if predicted[index] == labels[index]:
            axes.set_title(title, fontsize=8, color=TEXT_COLOUR, parse_math=False)
        else:
            title += f"\nnot {short(class_names[labels[index]])}"
            axes.set_title(title, fontsize=8, color=WRONG_COLOUR, fontweight="bold", parse_math=False)
    figure.savefig(path)


def confusion_matrix(matrix: np.ndarray, class_names: Sequence[str], path: str | Path | BinaryIO) -> None:
    """Draws which classes are taken for which.

    Up to `READABLE_CLASSES` classes each cell has its number, and its colour is the share of the row's images. With
    more there are neither names nor numbers, and the colour is the logarithm of the number; empty cells are white.

    Args:
        matrix: Integers `[classes, classes]`: images of class `row` that are taken for class `column`.
        class_names: The name of each class.
        path: The PNG file, or a binary stream.
    """
    readable = len(class_names) <= READABLE_CLASSES
    fonts.add_for(class_names if readable else ())
    side = 3.5 + 0.5 * len(class_names) if readable else 12
    figure = Figure(figsize=(side, side), dpi=120, layout="constrained")
    axes = figure.subplots()
    if readable:
        _draw_readable_matrix(axes, matrix, class_names)
    else:
        cells = np.ma.masked_equal(matrix, 0)
        drawn = axes.imshow(cells, cmap="viridis_r", norm=LogNorm(1, max(2, matrix.max())), interpolation="nearest")
        figure.colorbar(drawn, label="images", shrink=0.7)
    axes.set_xlabel("predicted class", color=TEXT_COLOUR)
    axes.set_ylabel("true class", color=TEXT_COLOUR)
    right = np.trace(matrix) / matrix.sum()
    axes.set_title(f"{matrix.sum()} images, {right:.2%} right", color=TEXT_COLOUR)
    figure.savefig(path)


def contact_sheet(
    images: Sequence[np.ndarray], names: Iterable[str], valid: Iterable[bool], columns: int, path: str | Path
) -> None:
    """Draws images in a grid, each below the name of its class.

    Args:
        images: uint8 `[n, height, width, channels]`, with 1, 3 or 4 channels.
        names: The class names of the images.
        valid: bool `[n]`, false for an image that could not be read; its place says so.
        columns: Images in a row.
        path: The PNG file.
    """
    names = list(names)
    fonts.add_for(names)
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.5 * columns, 1.75 * rows), dpi=120, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image, name, is_valid in zip(grid, images, names, valid, strict=False):
        if is_valid:
            _draw_image(axes, image)
            axes.set_title(short(name), fontsize=8, color=TEXT_COLOUR, parse_math=False)
        else:
            axes.set_title("could not be read", fontsize=8, color=WRONG_COLOUR)
    figure.savefig(path)


def _draw_readable_matrix(axes, matrix, class_names):
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            colour = "white" if shares[row, column] > 0.5 else TEXT_COLOUR
            axes.text(column, row, count, ha="center", va="center", fontsize=8, color=colour)
    ticks, names = range(len(class_names)), list(map(short, class_names))
    axes.set_xticks(ticks, names, rotation=90, parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)


def _draw_image(axes, image):
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap=matplotlib.colormaps["gray"], vmin=0, vmax=255)
    else:
        axes.imshow(image)
