"""A model with the record that goes with it: what `evaluate` and `predict` share."""

import keras
import numpy as np
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.model_kinds import ModelSource
from lambda_keras.zoo.models.record import Record


class Classifier:
    """A classifier of uint8 images, loaded together with the record that says how it wants them.

    Args:
        source: Where it is, as `lambda_keras.zoo.models.model_source.find` finds it.
        image_size: Side of the images that it will be given, by default the record's.

    Attributes:
        name: What the model is called in messages.
        folder: Where what is measured of it goes by default.
        record: Its `lambda_keras.zoo.models.record.Record`.
        model: The `keras.Model`, which takes normalised images and returns probabilities.

    Raises:
        UserError: The model or its record is missing, damaged or not what it must be, they do not belong together, or
            the model does not take images of this size.

    Example:
        >>> classifier = Classifier(find("runs/digits"))  # doctest: +SKIP
        >>> classifier.probabilities(np.zeros((2, 32, 32, 1), "uint8")).shape  # doctest: +SKIP
        (2, 10)
    """

    def __init__(self, source: ModelSource, image_size: int | None = None):
        self.name, self.folder, self.record = source.name, source.folder, source.record()
        if image_size is not None:
            self.record.with_preprocessing(image_size=image_size)  # Checks the bounds.
        self.model = source.load(image_size)
        check_record(self.record, self.model, self.name, image_size)
        self._classify = tf.function(self._classify_images)

    def probabilities(self, images: np.ndarray | tf.Tensor, valid: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Classifies a batch of images.

        Args:
            images: uint8 `[batch, image_size, image_size, channels]`, an array or a tensor.
            valid: bool `[batch]`: which rows are images, all by default. The others only keep the batch's shape.

        Returns:
            float32 `[valid, classes]`, an array; each row sums to 1.

        Raises:
            UserError: A probability is not finite.
        """
        probabilities = self._classify(images).numpy()[valid]
        if not np.isfinite(probabilities).all():
            raise UserError(
                f"{self.name} returns probabilities that are not finite: its training diverged, or it was not trained; "
                "train it again"
            )
        return probabilities

    def _classify_images(self, images):
        preprocessor = self.record.preprocessor
        images = lk.preprocess_input(images, mean=preprocessor.mean, std=preprocessor.std)
        return tf.cast(self.model(images, training=False), tf.float32)


def check_record(record: Record, model: keras.Model, name: str, image_size: int | None = None) -> None:
    """Checks that a record is of a model.

    Args:
        record: The record.
        model: The model.
        name: What to call the model in messages.
        image_size: Side of the images that the model will be given, by default the record's.

    Raises:
        UserError: They have other channels, classes or sizes.
    """
    preprocessor, classes = record.preprocessor, len(record.class_names)
    *sides, channels = model.input_shape[1:]
    if (preprocessor.channels, classes) != (channels, model.output_shape[-1]):
        raise UserError(
            f"the record of {name} is of another model: it has {preprocessor.channels} channels and {classes} classes, "
            f"the model has {channels} and {model.output_shape[-1]}; copy the record of this model"
        )
    image_size = image_size or preprocessor.image_size
    if any(side not in (None, image_size) for side in sides):
        raise UserError(
            f"the record of {name} is of another model: its images are {image_size}x{image_size}, the model takes "
            f"{sides[0]}x{sides[1]}; copy the record of this model, or give its size with --image-size"
        )
