"""Classification on two streams of images, labelled and pseudo-labelled, in the same numbers in every pass.

As in Noisy Student, https://arxiv.org/abs/1911.04252, the loss of a batch is the mean over all its images. A
pseudo-label has shares of several classes; label smoothing is for the labelled images alone.
"""

from typing import Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf

from lambda_keras.zoo.data import input_pipeline
from lambda_keras.zoo.data.sources import pseudo_labels
from lambda_keras.zoo.data.sources.pseudo_labels import PseudoLabels
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.recipe import Pseudo, Recipe
from lambda_keras.zoo.training import randomness
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.sums import entries
from lambda_keras.zoo.training.task import Row

# The number of the stream of pseudo-labelled images, which goes into each of its seeds.
STREAM = 1


class CoTrainingSums(NamedTuple):
    """Sums over images of both streams; see `lambda_keras.zoo.training.sums.Sums`.

    Attributes:
        loss: The losses of all images.
        correct: Labelled images whose most probable class is right.
        images: All images.
        unreadable: Those of them that could not be read.
        pseudo_loss: The losses of the pseudo-labelled images.
        pseudo_images: How many these are.
        stopping: Above 0 once a signal has asked to stop.
    """

    loss: float | tf.Tensor
    correct: float | tf.Tensor
    images: float | tf.Tensor
    unreadable: float | tf.Tensor
    pseudo_loss: float | tf.Tensor
    pseudo_images: float | tf.Tensor
    stopping: float | tf.Tensor = 0.0

    @classmethod
    def of(cls, vector: tf.Tensor | tf.Variable | np.ndarray) -> Self:
        """The sums in a vector `[7]`, in a graph or outside of one."""
        return cls(*entries(vector))


class CoTraining(Classification):
    """The training of a classifier on labelled and pseudo-labelled images. An epoch is a pass over the labelled ones.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe` with `data.pseudo`.
        dataset: The labelled images, a `lambda_keras.zoo.data.splits.Dataset`.
        pseudo: The others, a `lambda_keras.zoo.data.sources.pseudo_labels.PseudoLabels`; `None` for a task that reads
            none, as in a dry run.

    Raises:
        UserError: A batch has more labelled images than the training part, or its shares are no whole numbers.
    """

    sums = CoTrainingSums
    columns = ("loss", "labelled_loss", "pseudo_loss", "accuracy", "val_loss", "val_accuracy")

    def __init__(self, recipe: Recipe, dataset: Dataset, pseudo: PseudoLabels | None):
        super().__init__(recipe, dataset)
        assert recipe.data.pseudo is not None, "a recipe without pseudo-labels is plain classification"
        self._section: Pseudo = recipe.data.pseudo
        self._pseudo = pseudo
        self._in_batch = self._section.images_of(recipe.training.batch_size)
        if pseudo is not None:
            self.images = {**self.images, **pseudo.described()}

    @property
    def pseudo(self) -> PseudoLabels:
        """The pseudo-labelled images, of a task that reads them."""
        assert self._pseudo is not None, "a dry run reads no image"
        return self._pseudo

    def check_pass(self, images: int) -> None:
        """Refuses a pass whose shares are no whole numbers of images."""
        self._section.images_of(images)

    def batches(self, *, batch_size: int, start: int, shard: int, num_shards: int) -> tf.data.Dataset:
        """Batches whose first images are labelled and whose last ones are pseudo-labelled."""
        in_batch, in_pass = self.training.batch_size, self._section.images_of(batch_size)
        step, data = start // in_batch, self.recipe.data
        streams = (
            (self.dataset.train, data, batch_size - in_pass, in_batch - self._in_batch, 0),
            (self.pseudo.split, data.of_pseudo, in_pass, self._in_batch, STREAM),
        )
        parts = [
            input_pipeline.training_batches(
                split,
                self.dataset,
                data_of_stream,
                batch_size=images,
                seed=randomness.stream_seed(self.training.seed, number),
                start=step * images_of_step,
                shard=shard,
                num_shards=num_shards,
            )
            for split, data_of_stream, images, images_of_step, number in streams
        ]
        both = tf.data.Dataset.zip(*parts).map(lambda *parts: tf.nest.map_structure(_one_after_the_other, *parts))
        return both.prefetch(tf.data.AUTOTUNE)

    def loss(self, model: keras.Model, batch: dict[str, tf.Tensor], passes: tf.Variable) -> tuple[tf.Tensor, Any]:
        """The sum of the losses of the images divided by the size of the whole batch."""
        pseudo = self._section.images_of(batch["target"].shape[0])
        images, targets = self.normalised(batch["image"]), batch["target"]
        labelled = self.mixed(images[:-pseudo], targets[:-pseudo], self.recipe.data, self.training.seed, passes)
        seed = randomness.stream_seed(self.training.seed, STREAM)
        others = self.mixed(images[-pseudo:], targets[-pseudo:], self.recipe.data.of_pseudo, seed, passes)
        images, targets = (_one_after_the_other(*parts) for parts in zip(labelled, others, strict=True))
        logits = model(images, training=True)
        losses = self.losses(targets[:-pseudo], logits[:-pseudo])
        pseudo_losses = keras.losses.categorical_crossentropy(targets[-pseudo:], logits[-pseudo:], from_logits=True)
        pseudo_loss = tf.reduce_sum(pseudo_losses)
        correct = tf.argmax(logits, -1, tf.int32) == input_pipeline.labels(targets)
        sums = CoTrainingSums(
            loss=tf.reduce_sum(losses) + pseudo_loss,
            correct=tf.reduce_sum(tf.cast(correct[:-pseudo], tf.float32)),
            images=tf.cast(tf.size(correct), tf.float32),
            unreadable=tf.reduce_sum(tf.cast(~batch["valid"], tf.float32)),
            pseudo_loss=pseudo_loss,
            pseudo_images=tf.constant(pseudo, tf.float32),
        )
        weighted = tf.reduce_sum(losses * self.weights_of(targets[:-pseudo]))
        return (weighted + pseudo_loss) / self.training.batch_size, sums

    def means(self, sums: CoTrainingSums) -> dict[str, float]:
        """`loss`, those of both streams, and the `accuracy` on labelled images."""
        labelled = sums.images - sums.pseudo_images
        return {
            "loss": sums.loss / sums.images,
            "labelled_loss": (sums.loss - sums.pseudo_loss) / labelled,
            "pseudo_loss": sums.pseudo_loss / sums.pseudo_images,
            "accuracy": sums.correct / labelled,
        }

    def introduction(self) -> list[str]:
        """The dataset, and how many pseudo-labelled images of which teacher."""
        words = f"{self.pseudo.split.count} images with pseudo-labels of {self.pseudo.teacher}"
        return [*super().introduction(), f"{words}, {self._in_batch} of {self.training.batch_size} in a batch"]

    def epochs_of_images(self, step: int) -> float:
        """Passes over the labelled images, those of incomplete batches included."""
        return step * (self.training.batch_size - self._in_batch) / self.dataset.train.count

    def line(self, row: Row) -> str:
        """Losses of both streams, and loss and accuracy of training and validation."""
        parts = f"(labelled {row['labelled_loss']:.4f}, pseudo-labelled {row['pseudo_loss']:.4f})"
        return super().line(row).replace("  accuracy", f" {parts}  accuracy", 1)


def task_of(recipe: Recipe, dataset: Dataset) -> Classification:
    """Makes the task of a recipe, and reads what its `data.pseudo` says.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: Its labelled images, a `lambda_keras.zoo.data.splits.Dataset`.

    Raises:
        UserError: The pseudo-labelled images are missing or of other classes, or they or a batch do not fit the recipe.
    """
    section = recipe.data.pseudo
    if section is None:
        return Classification(recipe, dataset)
    return CoTraining(recipe, dataset, pseudo_labels.load(section.folder, dataset.class_names, section.streams))


def _one_after_the_other(labelled, pseudo):
    return tf.concat([labelled, pseudo], axis=0)
