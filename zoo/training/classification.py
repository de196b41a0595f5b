"""Classification as a task of the training loop: one label, or shares of several, for each image."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.command_line import narrate
from lambda_keras.zoo.data import input_pipeline
from lambda_keras.zoo.data.augmentation import mixing
from lambda_keras.zoo.data.files import class_names
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import UserError, errors_of_weights
from lambda_keras.zoo.recipe import Data, Recipe, Training
from lambda_keras.zoo.training import randomness
from lambda_keras.zoo.training.freezing import freeze
from lambda_keras.zoo.training.layer_rates import shares_of_rate
from lambda_keras.zoo.training.schedules import build_schedule
from lambda_keras.zoo.training.sums import Sums
from lambda_keras.zoo.training.task import Length, Row, Task

# The place of mixup's random choices among those of a pass; dropout layers have those from 1 on.
MIXING = 0


class Classification(Task[Any]):
    """The training of a classifier.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.

    Raises:
        UserError: A batch is larger than the training part.
    """

    sums: type[Any] = Sums
    columns: tuple[str, ...] = ("loss", "accuracy", "val_loss", "val_accuracy")
    best_by = "val_accuracy"
    warmup_key = "warmup_epochs"
    inspection = "lambda-zoo inspect-data"

    def __init__(self, recipe: Recipe, dataset: Dataset):
        self.recipe: Recipe = recipe
        self.training: Training = recipe.training
        self.dataset = dataset
        self.images = dataset.train.described()
        steps = steps_per_epoch(recipe, dataset)
        self.length = Length(recipe.training.epochs * steps, steps)
        self._class_weights = class_weights(dataset) if recipe.training.class_weights else None

    def build_model(self) -> keras.Model:
        """The recipe's model, which returns logits."""
        return build_model(self.recipe, self.dataset, classifier_activation=None)

    def build_exported_model(self) -> keras.Model:
        """The same with softmax."""
        return build_model(self.recipe, self.dataset)

    def load_start(self, model: keras.Model) -> lk.weights.LoadReport | None:
        """Loads what the recipe's `weights` or `warm_start` say."""
        start, report = self.recipe.model, None
        with errors_of_weights():
            if start.weights is not None:
                report = lk.load_weights(
                    model,
                    start.weights,
                    fit="adapt",
                    classifier="fresh" if start.fresh_classifier else "keep",
                    architecture=start.name,
                )
            elif start.warm_start is not None:
                report = lk.warm_start(model, start.warm_start)
        if report is not None:
            narrate(report)
        return report

    def freeze(self, model: keras.Model) -> None:
        """Freezes all but the classifier, or BatchNorm, as the recipe says."""
        freeze(model, self.training)

    def schedule(self) -> keras.optimizers.schedules.LearningRateSchedule:
        """The recipe's schedule."""
        return build_schedule(self.training, self.length.steps_per_epoch)

    def shares_of_rate(self, model: keras.Model) -> list[float] | None:
        """Shares by stage, with `stage_decay`."""
        decay = self.training.stage_decay
        return shares_of_rate(model, decay) if decay < 1 else None

    def batches(self, *, batch_size: int, start: int, shard: int, num_shards: int) -> tf.data.Dataset:
        """Batches of `lambda_keras.zoo.data.input_pipeline.training_batches`."""
        return input_pipeline.training_batches(
            self.dataset.train,
            self.dataset,
            self.recipe.data,
            batch_size=batch_size,
            seed=self.training.seed,
            start=start,
            shard=shard,
            num_shards=num_shards,
        )

    def loss(self, model: keras.Model, batch: dict[str, tf.Tensor], passes: tf.Variable) -> tuple[tf.Tensor, Any]:
        """The sum of the losses of the images divided by the size of the whole batch."""
        images = self.normalised(batch["image"])
        images, targets = self.mixed(images, batch["target"], self.recipe.data, self.training.seed, passes)
        logits = model(images, training=True)
        losses = self.losses(targets, logits)
        correct = tf.argmax(logits, -1, tf.int32) == input_pipeline.labels(targets)
        counts = (correct, tf.ones_like(correct), ~batch["valid"])
        sums = Sums(tf.reduce_sum(losses), *(tf.reduce_sum(tf.cast(count, tf.float32)) for count in counts))
        return tf.reduce_sum(losses * self.weights_of(targets)) / self.training.batch_size, sums

    def mixed(
        self, images: tf.Tensor, targets: tf.Tensor, data: Data, seed: int, passes: tf.Variable
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The images of a pass after mixup and CutMix, where the recipe asks for one of them.

        Args:
            images: float32 `[batch, height, width, channels]`.
            targets: float32 `[batch, classes]`.
            data: A `lambda_keras.zoo.recipe.Data`, for the strength of both.
            seed: Of the stream that the images are of.
            passes: Forward passes that are done.

        Returns:
            Images and targets of the same shapes.
        """
        if not data.mixup and not data.cutmix:
            return images, targets
        return mixing.mix(images, targets, data, randomness.pass_seed(seed, MIXING, passes))

    def weights_of(self, targets: tf.Tensor) -> float | tf.Tensor:
        """What the losses of images are multiplied by, with the recipe's `class_weights`; otherwise 1.

        Args:
            targets: float32 `[batch, classes]`.

        Returns:
            float32 `[batch]`, or 1.
        """
        return 1.0 if self._class_weights is None else tf.linalg.matvec(targets, self._class_weights)

    def normalised(self, images: tf.Tensor) -> tf.Tensor:
        """The images of a batch as the model takes them.

        Args:
            images: uint8 `[batch, height, width, channels]`.

        Returns:
            float32 of the same shape.
        """
        return lk.preprocess_input(images, mean=self.dataset.mean, std=self.dataset.std)

    def losses(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The loss of each image, with the recipe's label smoothing.

        Args:
            targets: The shares of the classes, float32 `[batch, classes]`.
            logits: `[batch, classes]`.

        Returns:
            float32 `[batch]`.
        """
        smoothing = self.training.label_smoothing
        return keras.losses.categorical_crossentropy(targets, logits, from_logits=True, label_smoothing=smoothing)

    def means(self, sums: Any) -> dict[str, float]:
        """`loss` and `accuracy`."""
        return {"loss": sums.mean_loss, "accuracy": sums.accuracy}

    def figures(self, sums: Any, validation: dict[str, float | None]) -> Row:
        """The means of the epoch, and loss and accuracy after it."""
        return {**self.means(sums), "val_loss": validation["loss"], "val_accuracy": validation["accuracy"]}

    def introduction(self) -> list[str]:
        """The dataset, its parts, and names of classes that look alike."""
        counts = (f"{getattr(self.dataset, name).count} {name}" for name in ("train", "validation", "test"))
        return [f"{self.dataset.name}: {', '.join(counts)} images", *class_names.alike(self.dataset.class_names)]

    def epochs_of_images(self, step: int) -> float:
        """Passes over the training part, those of incomplete batches included."""
        return step * self.training.batch_size / self.dataset.train.count

    def brief(self, means: dict[str, float]) -> dict[str, str]:
        """Loss and accuracy."""
        return {"loss": f"{means['loss']:.3f}", "accuracy": f"{means['accuracy']:.2%}"}

    def line(self, row: Row) -> str:
        """Loss and accuracy of training and validation."""
        return (
            f"loss {row['loss']:.4f}  accuracy {row['accuracy']:.2%}  "
            f"validation loss {row['val_loss']:.4f}  accuracy {row['val_accuracy']:.2%}"
        )


def build_model(recipe: Recipe, dataset: Dataset, classifier_activation: str | None = "softmax") -> keras.Model:
    """Builds the recipe's model for the dataset's images and classes.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.
        classifier_activation: `None` for logits.

    Raises:
        UserError: The model's name or an override is unknown or does not fit.
    """
    size = recipe.data.image_size
    try:
        return lk.create_model(
            recipe.model.name,
            input_shape=(size, size, dataset.channels),
            classes=len(dataset.class_names),
            classifier_activation=classifier_activation,
            **recipe.model.overrides,
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"model {recipe.model.name!r}: {error}") from error


def class_weights(dataset: Dataset) -> tf.Tensor:
    """The weight of each class, inverse to its share of the training images; their mean over these images is 1.

    Args:
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.

    Returns:
        float32 `[classes]`; 0 for a class without training images.
    """
    counts = dataset.train.images_of_classes(len(dataset.class_names))
    weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return tf.constant(np.where(counts, weights, 0), tf.float32)


def steps_per_epoch(recipe: Recipe, dataset: Dataset) -> int:
    """Steps in an epoch of the labelled images; those of an incomplete batch begin the next one.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.

    Raises:
        UserError: A batch is larger than the training part, or its share of pseudo-labelled images no whole number.
    """
    images, batch_size, pseudo = dataset.train.count, recipe.training.batch_size, recipe.data.pseudo
    labelled = batch_size if pseudo is None else batch_size - pseudo.images_of(batch_size)
    if labelled > images:
        of_it = "" if pseudo is None else f", {labelled} of it labelled,"
        raise UserError(f"training.batch_size {batch_size}{of_it} is more than the {images} training images")
    return images // labelled
