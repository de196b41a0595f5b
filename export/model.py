"""The model that is to be served: found, loaded, and on request for another image size or fused."""

import sys

import keras

import lambda_keras as lk
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models import source as model_source
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.record import Record
from lambda_keras.zoo.models.source import ModelSource


def load(
    name: str, weights: str | None = None, image_size: int | None = None, fuse: bool = False
) -> tuple[ModelSource, keras.Model, Record | None]:
    """Loads a model and its record. That there is none is told on stderr.

    Args:
        name: What `lambda_keras.zoo.models.source.find` takes.
        weights: For a registered model, the weights, as of `lambda_keras.zoo.models.source.find`.
        image_size: Side of the images that the model is to take, if not those it was made for.
        fuse: Whether to make fewer operations of it with `lambda_keras.fuse`.

    Returns:
        Where it was found; the model; its record, with the image size asked for, or `None`.

    Raises:
        UserError: The model or its record is damaged, they do not belong together, or the model does not take images
            of this size.
    """
    source = model_source.find(name, weights)
    if source.has_record:
        classifier = Classifier(source, image_size)
        model, record = classifier.model, classifier.record
        if image_size is not None:
            record = record.with_preprocessing(image_size=image_size)
    else:
        if image_size is not None and image_size < 1:
            raise UserError(f"--image-size must be at least 1, got {image_size}")
        model, record = source.load(image_size), None
        print(
            f"there is no record.json beside {source.name}: images are taken normalised, a SavedModel has no "
            "signatures classify_uint8 and classify_bytes, a TFLite file no metadata; copy the record.json of the "
            "model's training beside it to get them",
            file=sys.stderr,
        )
    return source, lk.fuse(model) if fuse else model, record


def read_record(source: ModelSource, image_size: int | None = None) -> Record | None:
    """Reads the record of a model that is loaded elsewhere.

    Args:
        source: Where the model was found.
        image_size: Side of the images that the model is to take, if not those it was made for.

    Returns:
        The record with the image size asked for; `None` where there is none.

    Raises:
        UserError: It is damaged, or the size is out of bounds.
    """
    if not source.has_record:
        return None
    record = source.record()
    return record if image_size is None else record.with_preprocessing(image_size=image_size)
