"""`lambda-zoo explain`: what a model with lambda layers looked at, as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import lambda_keras as lk
from lambda_keras.atomic import replacing
from lambda_keras.explain import interaction_maps, lambda_layers, map_size
from lambda_keras.zoo.command_line import narrate, say
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.errors import UserError, writing
from lambda_keras.zoo.evaluation.prediction import named_classes, title
from lambda_keras.zoo.explaining import plots
from lambda_keras.zoo.explaining.grad_cam import grad_cam
from lambda_keras.zoo.explaining.rows import Explanation
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.image_file import read_image
from lambda_keras.zoo.models.model_source import find

# A picture of more rows can hardly be looked at, and at some length not be written.
MOST_ROWS = 60
LISTED_CLASSES = 20


def explain_image(
    classifier: Classifier,
    image: np.ndarray,
    layer: str | None = None,
    queries: Sequence[tuple[int, int]] | None = None,
    class_name: str | None = None,
) -> list[Explanation]:
    """Explains what a model saw in an image.

    Args:
        classifier: A `lambda_keras.zoo.models.classifier.Classifier`.
        image: uint8 `[image_size, image_size, channels]`, as `lambda_keras.zoo.models.image_file.read_image` reads it.
        layer: Name of a lambda layer; the last one by default.
        queries: Positions `(y, x)` in the layer's map; by default the middle, and that of each quarter of the map.
        class_name: The class for Grad-CAM, one of the record's; the most probable one by default.

    Returns:
        An `Explanation` for each query.

    Raises:
        UserError: The model has no lambda layers, or the layer, a query or the class does not exist.

    Example:
        >>> classifier = Classifier(find("runs/digits"))  # doctest: +SKIP
        >>> rows = explain_image(classifier, image, queries=[(4, 4)])  # doctest: +SKIP
        >>> plots.grid(rows).savefig("seen.png")  # doctest: +SKIP
    """
    layer = _find_layer(classifier, layer)
    record = classifier.record
    (probabilities,) = classifier.probabilities(image[None])
    predicted = int(probabilities.argmax())
    label = predicted if class_name is None else _find_label(record.class_names, class_name)
    preprocessor = record.preprocessor
    normalised = np.asarray(lk.preprocess_input(image, mean=preprocessor.mean, std=preprocessor.std))
    names = [title(named) for named in named_classes(record.class_names)]
    cam = grad_cam(classifier.model, normalised, label)
    queries = _places(map_size(classifier.model, normalised, layer)) if queries is None else queries
    try:
        maps = interaction_maps(classifier.model, normalised, layer, queries)
    except ValueError as error:
        raise UserError(error) from error
    probability = float(probabilities[predicted])
    return [Explanation(image, names[predicted], probability, found, names[label], cam) for found in maps]


def explain(
    source: str | Path,
    images: Sequence[str | Path],
    layer: str | None = None,
    query: tuple[int, int] | None = None,
    class_name: str | None = None,
    out: str | Path = "explanation.png",
    weights: str | None = None,
    most_pixels: int = MOST_PIXELS,
) -> None:
    """Writes a picture with a row for each query of each image, and prints what it shows.

    Args:
        source: A run folder, a file, a shared folder or a name, as `lambda_keras.zoo.models.model_source.find` takes
            it.
        images: Paths of JPEG, PNG, BMP, GIF or WebP files.
        layer: As for `explain_image`.
        query: One position `(y, x)` in the layer's map; by default those of `explain_image`.
        class_name: As for `explain_image`.
        out: The PNG file to write.
        weights: For a registered model, the weights, as for `lambda_keras.zoo.models.model_source.find`.
        most_pixels: How many pixels an image file may have.

    Raises:
        UserError: The model, an image, or an argument does not fit, or the file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != ".png" or not out.parent.is_dir():
        raise UserError(f"--out takes a .png file in a folder that exists, got {out}")
    classifier = Classifier(find(source, weights))
    layer = _find_layer(classifier, layer)
    queries = None if query is None else [query]
    # All files are read before the first is explained.
    pixels = [read_image(path, classifier.record.preprocessor, most_pixels) for path in images]
    rows = []
    for path, image in zip(images, pixels, strict=True):
        rows += explain_image(classifier, image, layer, queries, class_name)
        if len(rows) > MOST_ROWS:
            raise UserError(f"a picture has room for {MOST_ROWS} queries; give fewer images, or one --query")
        say(f"{path}: {rows[-1].predicted} {rows[-1].probability:.2%}, Grad-CAM of {rows[-1].explained}")
    size = rows[-1].interaction_map.content.shape[1:-1]
    with writing(out), replacing(out) as partial:
        plots.grid(rows).savefig(partial)
    narrate(f"layer: {layer}, whose map is {size[0]}x{size[1]} (of {', '.join(_names(classifier.model))})")
    narrate(f"Wrote {out}")


def _names(model):
    return [layer.name for layer in lambda_layers(model)]


def _find_layer(classifier, layer):
    names = _names(classifier.model)
    if not names:
        raise UserError(
            f"{classifier.name} has no lambda layers, so there is nothing to explain; give a lambda network"
        )
    if layer is not None and layer not in names:
        raise UserError(f"--layer must be one of {', '.join(names)}, got {layer}")
    return layer or names[-1]


def _find_label(class_names, class_name):
    if class_name not in class_names:
        listed = ", ".join(class_names[:LISTED_CLASSES]) + (", …" if len(class_names) > LISTED_CLASSES else "")
        raise UserError(f"--class must be one of the model's {len(class_names)} classes ({listed}), got {class_name}")
    return class_names.index(class_name)


def _places(size):
    """The middle of a map, and the middle of each of its quarters."""
    height, width = size
    quarters = [(y * height // 4, x * width // 4) for y in (1, 3) for x in (1, 3)]
    return [(height // 2, width // 2), *quarters]
