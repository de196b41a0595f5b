"""The model of a command: loaded with the record that goes with it, and on request made ready to be served."""

import sys

import keras

import lambda_keras as lk
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.model_kinds import ModelSource
from lambda_keras.zoo.models.record import Record


def load(source: ModelSource, image_size: int | None = None) -> tuple[keras.Model, Record | None]:
    """Loads a model and its record, which belong together.

    Args:
        source: Where the model is, as `lambda_keras.zoo.models.model_source.find` finds it.
        image_size: Side of the images that the model is to take, if not those it was made for.

    Returns:
        The model; its record, with the image size asked for, or `None` where there is none.

    Raises:
        UserError: The model or its record is damaged, they do not belong together, or the model does not take images
            of this size.

    Example:
        >>> model, record = load(find("lambda_resnet_tiny.digits"))  # doctest: +SKIP
        >>> model.output_shape[-1] == len(record.class_names)  # doctest: +SKIP
        True
    """
    if source.has_record:
        classifier = Classifier(source, image_size)
        record = classifier.record
        if image_size is not None:
            record = record.with_preprocessing(image_size=image_size)
        return classifier.model, record
    if image_size is not None and image_size < 1:
        raise UserError(f"--image-size must be at least 1, got {image_size}")
    return source.load(image_size), None


def load_to_serve(
    source: ModelSource, image_size: int | None = None, fuse: bool = False
) -> tuple[keras.Model, Record | None]:
    """Loads a model of which an artifact is made; that it has no record is said on stderr.

    Args:
        source: As for `load`.
        image_size: As for `load`.
        fuse: Whether to make fewer operations of it with `lambda_keras.fuse`.

    Returns:
        As `load`.

    Raises:
        UserError: As `load`.
    """
    model, record = load(source, image_size)
    if record is None:
        say(
            f"there is no record.json beside {source.name}: images are taken normalised, a SavedModel has no "
            "signatures classify_uint8 and classify_bytes, a TFLite file no metadata; to get them, copy the "
            "record.json of the model's training beside it, or write it with `lambda-zoo write-record`",
            file=sys.stderr,
        )
    return lk.fuse(model) if fuse else model, record
