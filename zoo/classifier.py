"""A saved model with the record beside it: what `evaluate` and `predict` share."""

from pathlib import Path

import numpy as np
import tensorflow as tf

import lambda_keras as lk
from zoo import run_folder
from zoo.errors import UserError
from zoo.load import load_classifier
from zoo.record import Record


class Classifier:
    """A classifier of uint8 images, loaded from a file.

    Args:
        path: The folder of a training run, or a `.keras` file with its `record.json` beside it.
        image_size: Side of the images that it will be given, by default the record's.

    Attributes:
        file: The `.keras` file.
        record: Its `zoo.record.Record`.
        model: The `keras.Model`, which takes normalised images and returns probabilities.

    Raises:
        UserError: The model or its record is missing, damaged or not what it must be, they do not belong together, or
            the model does not take images of this size.

    Example:
        >>> classifier = Classifier("runs/digits")  # doctest: +SKIP
        >>> classifier.probabilities(np.zeros((2, 32, 32, 1), "uint8")).shape  # doctest: +SKIP
        (2, 10)
    """

    def __init__(self, path, image_size=None):
        path = Path(path)
        self.file = path / run_folder.MODEL if path.is_dir() else path
        self.model = load_classifier(self.file)
        record_file = self.file.with_name(run_folder.RECORD)
        self.record = Record.read(record_file)
        *sides, channels = self.model.input_shape[1:]
        classes = self.model.output_shape[-1]
        if (self.record.channels, len(self.record.class_names)) != (channels, classes):
            raise UserError(
                f"{record_file} is of another model: it has {self.record.channels} channels and "
                f"{len(self.record.class_names)} classes, {self.file.name} has {channels} and {classes}; copy the "
                "record of this model"
            )
        image_size = image_size or self.record.image_size
        if any(side not in (None, image_size) for side in sides):
            raise UserError(
                f"{self.file} takes images of {sides[0]}x{sides[1]} only, got {image_size}x{image_size}; a model that "
                "is made with input_shape=(None, None, channels) takes every size"
            )

        self._classify = tf.function(self._classify_images)

    def probabilities(self, images, valid=slice(None)):
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
                f"{self.file} returns probabilities that are not finite: its training diverged, or it was not trained; "
                "train it again"
            )
        return probabilities

    def _classify_images(self, images):
        images = lk.preprocess_input(images, mean=self.record.mean, std=self.record.std)
        return tf.cast(self.model(images, training=False), tf.float32)
