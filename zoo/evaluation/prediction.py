"""`lambda-zoo predict`: a saved model and image files in, the most probable classes out."""

import csv
import functools
import io
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lambda_keras.applications import imagenet
from lambda_keras.weights import WeightsError
from lambda_keras.zoo.command_line import is_quiet, print_table, progress_bar, say
from lambda_keras.zoo.data.files import csv_cells
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.image_file import read_image
from lambda_keras.zoo.models.model_source import find

BATCH_SIZE = 32
CSV_COLUMNS = ("image", "rank", "class", "name", "probability", "problem")


def predict(
    source: str | Path,
    images: Sequence[str | Path],
    top: int = 5,
    weights: str | None = None,
    most_pixels: int = MOST_PIXELS,
) -> list[dict[str, Any]]:
    """Names the most probable classes of images, a batch at a time; a file that cannot be read spoils its own row.

    Args:
        source: A run folder, a file, a shared folder or a name, as `lambda_keras.zoo.models.model_source.find` takes
            it.
        images: Paths of JPEG, PNG, BMP, GIF or WebP files, such as `lambda_keras.zoo.data.files.image_files.find`
            returns; of an animation, the first frame counts.
        top: How many classes to name for each, at most as many as there are.
        weights: For a registered model, the weights, as for `lambda_keras.zoo.models.model_source.find`.
        most_pixels: How many pixels an image file may have.

    Returns:
        For each image `{"image": path, "predictions": [{"class": name, "probability": p}, …]}`, the most probable
        class first. Where the classes are WordNet ids of ImageNet, a prediction has the readable `"name"` too. Of a
        file that cannot be read there are no predictions, and a `"problem"`.

    Raises:
        UserError: The model or its record is missing or damaged.

    Example:
        >>> predict("runs/digits", ["seven.png"], top=1)  # doctest: +SKIP
        [{'image': 'seven.png', 'predictions': [{'class': '7', 'probability': 0.98}]}]
    """
    if top < 1:
        raise UserError(f"--top must be at least 1, got {top}")
    classifier = Classifier(find(source, weights))
    classes = named_classes(classifier.record.class_names)
    classified = _classify(classifier, images, most_pixels)
    predictions: list[dict[str, Any]] = []
    times: list[float] = []
    for image, result in zip(images, progress_bar(classified, total=len(images), unit="image"), strict=True):
        times.append(time.perf_counter())
        if isinstance(result, UserError):
            predictions.append({"image": str(image), "predictions": [], "problem": str(result)})
        else:
            predictions.append({"image": str(image), "predictions": _most_probable(result, classes, top)})
    if len(images) > BATCH_SIZE and not is_quiet():
        # The first batch makes the graph.
        rate = (len(images) - BATCH_SIZE) / (times[-1] - times[BATCH_SIZE - 1])
        text = f"{len(images):,} images; after the first {BATCH_SIZE}, {rate:,.1f} images a second, files read included"
        say(text, file=sys.stderr)
    return predictions


def _classify(
    classifier: Classifier, images: Sequence[str | Path], most_pixels: int
) -> Iterator[np.ndarray | UserError]:
    """Yields the probabilities [classes] of each image, or why it cannot be read."""
    preprocessor = classifier.record.preprocessor
    side, size = preprocessor.image_size, min(BATCH_SIZE, len(images))
    read = functools.partial(_read, preprocessor=preprocessor, most_pixels=most_pixels)
    with ThreadPoolExecutor() as readers:
        for start in range(0, len(images), size):
            results = list(readers.map(read, images[start : start + size]))
            # All batches have the same shape, so that a graph is traced once.
            pixels, valid = np.zeros((size, side, side, preprocessor.channels), "uint8"), np.zeros(size, bool)
            for row, result in enumerate(results):
                if not isinstance(result, UserError):
                    pixels[row], valid[row] = result, True
            probabilities = iter(classifier.probabilities(pixels, valid))
            for result in results:
                yield result if isinstance(result, UserError) else next(probabilities)


def _read(path, preprocessor, most_pixels):
    try:
        return read_image(path, preprocessor, most_pixels)
    except UserError as error:
        return error


def print_predictions(predictions: Iterable[dict[str, Any]]) -> None:
    """Prints what `predict` returns as a table; an image's name stands before its most probable class."""
    rows: list[tuple[str, str, str]] = []
    for prediction in predictions:
        if "problem" in prediction:
            rows.append((prediction["image"], "(cannot be read)", ""))
            say(prediction["problem"], file=sys.stderr)
        for rank, row in enumerate(prediction["predictions"]):
            rows.append((prediction["image"] if rank == 0 else "", title(row), f"{row['probability']:.2%}"))
    print_table(("image", "class", "probability"), rows, right=(2,))


def print_csv(predictions: Iterable[dict[str, Any]]) -> None:
    """Prints what `predict` returns as CSV: a row for each class that is named, or one with the problem of a file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for prediction in predictions:
        image = prediction["image"]
        if "problem" in prediction:
            writer.writerow(csv_cells.neutral((image, "", "", "", "", prediction["problem"])))
        for rank, row in enumerate(prediction["predictions"], 1):
            cells = (image, rank, row["class"], row.get("name", ""), row["probability"], "")
            writer.writerow(csv_cells.neutral(cells))
    say(text.getvalue().removesuffix("\n"))


def named_classes(class_names: Sequence[str]) -> list[dict[str, str]]:
    """What identifies a class in a prediction: its name, or a WordNet id and the name that ImageNet has for it.

    Args:
        class_names: Those of a record.

    Returns:
        For each `{"class": name}`, where it has a readable name `{"class": id, "name": name}`.
    """
    if not all(re.fullmatch(r"n\d{8}", name) for name in class_names):
        return [{"class": name} for name in class_names]
    try:
        words = dict(imagenet.class_names())
    except WeightsError as error:
        # A run on ImageNet has its ids without a download.
        say(f"The classes have their ids alone: {error}", file=sys.stderr)
        words = {}
    return [{"class": name, "name": words[name]} if name in words else {"class": name} for name in class_names]


def title(named_class: Mapping[str, Any]) -> str:
    """The class of a prediction in one string.

    Args:
        named_class: One of what `named_classes` returns, or a prediction.
    """
    return " ".join(named_class[key] for key in ("class", "name") if key in named_class)


def _most_probable(probabilities, classes, top):
    # Stable, so that of equal ones the first class comes first.
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [{**classes[label], "probability": float(probabilities[label])} for label in order]
