"""`lambda-zoo predict`: a saved model and image files in, the most probable classes out."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lambda_keras.applications import imagenet
from lambda_keras.weights import WeightsError
from lambda_keras.zoo.command_line import print_table, say
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.image_file import read_image
from lambda_keras.zoo.models.model_source import find

BATCH_SIZE = 32


def predict(
    source: str | Path,
    images: Sequence[str | Path],
    top: int = 5,
    weights: str | None = None,
    most_pixels: int = MOST_PIXELS,
) -> list[dict[str, Any]]:
    """Names the most probable classes of images. All files are read before the first is classified.

    Args:
        source: A run folder, a file, a shared folder or a name, as `lambda_keras.zoo.models.model_source.find` takes
            it.
        images: Paths of JPEG, PNG, BMP, GIF or WebP files; of an animation, the first frame counts.
        top: How many classes to name for each, at most as many as there are.
        weights: For a registered model, the weights, as for `lambda_keras.zoo.models.model_source.find`.
        most_pixels: How many pixels an image file may have.

    Returns:
        For each image `{"image": path, "predictions": [{"class": name, "probability": p}, …]}`, the most probable
        class first. Where the classes are WordNet ids of ImageNet, a prediction has the readable `"name"` too.

    Raises:
        UserError: The model or its record is missing or damaged, or an image is missing or cannot be decoded.

    Example:
        >>> predict("runs/digits", ["seven.png"], top=1)  # doctest: +SKIP
        [{'image': 'seven.png', 'predictions': [{'class': '7', 'probability': 0.98}]}]
    """
    if top < 1:
        raise UserError(f"--top must be at least 1, got {top}")
    classifier = Classifier(find(source, weights))
    pixels = np.stack([read_image(image, classifier.record.preprocessor, most_pixels) for image in images])
    starts = range(0, len(pixels), BATCH_SIZE)
    probabilities = np.concatenate([classifier.probabilities(pixels[start : start + BATCH_SIZE]) for start in starts])
    classes = named_classes(classifier.record.class_names)
    return [
        {"image": str(image), "predictions": _most_probable(row, classes, top)}
        for image, row in zip(images, probabilities, strict=True)
    ]


def print_predictions(predictions: Iterable[dict[str, Any]]) -> None:
    """Prints what `predict` returns as a table; an image's name stands before its most probable class."""
    rows = [
        (
            prediction["image"] if rank == 0 else "",
            title(row),
            f"{row['probability']:.2%}",
        )
        for prediction in predictions
        for rank, row in enumerate(prediction["predictions"])
    ]
    print_table(("image", "class", "probability"), rows, right=(2,))


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
