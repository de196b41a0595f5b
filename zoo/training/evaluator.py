"""Evaluation of a classifier under a strategy, with the averaged weights."""

import contextlib

import numpy as np
import orbit
import tensorflow as tf

from lambda_keras.zoo.data import input_pipeline
from lambda_keras.zoo.data.splits import Split
from lambda_keras.zoo.errors import StoppedError, UserError
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.sums import Sums
from lambda_keras.zoo.training.trainer import Trainer


class Evaluator(orbit.AbstractEvaluator):
    """Measures loss and accuracy of a trainer's model on a split, every image once and none augmented.

    Args:
        trainer: A `lambda_keras.zoo.training.trainer.Trainer`, whose model, strategy and task are used.
        split: The `lambda_keras.zoo.data.splits.Split`.
        averaged: Whether to take the moving average of the weights where there is one.
    """

    def __init__(self, trainer: Trainer[Classification], split: Split, averaged: bool = True):
        self.trainer = trainer
        self.split = split
        self.averaged = averaged
        self._step = tf.function(self._eval_step)

    def evaluate(self, num_steps: int = -1) -> dict[str, float]:
        """Returns `loss`, with the label smoothing of the training, `accuracy` and the `images` that could be read.

        Args:
            num_steps: Orbit's; the whole split is evaluated always.

        Raises:
            StoppedError: A signal asked for it.
            UserError: None of the images could be read.
        """
        trainer, name = self.trainer, self.trainer.task.dataset.name
        strategy = trainer.strategy
        replicas = strategy.num_replicas_in_sync
        batches = -(-self.split.count // (replicas * trainer.images_per_pass))
        iterator = iter(strategy.distribute_datasets_from_function(self._batches_of_worker(batches)))
        total = np.zeros(len(Sums._fields))
        trainer.averages.share_statistics()
        with trainer.averages.in_place_of_weights() if self.averaged else contextlib.nullcontext():
            for _ in range(batches):
                total += self._step(iterator).numpy().astype("float64")
                if Sums.of(total).stopping > 0:
                    break
        sums = Sums.of(total)
        if sums.stopping > 0:
            raise StoppedError(int(trainer.step.numpy()))
        if not sums.images:
            raise UserError(f"none of {self.split.count} images of {name} to evaluate could be read")
        return {"loss": sums.mean_loss, "accuracy": sums.accuracy, "images": sums.images}

    def _batches_of_worker(self, batches):
        task = self.trainer.task

        def build(context):
            replicas_here = context.num_replicas_in_sync // context.num_input_pipelines
            return input_pipeline.evaluation_batches(
                self.split,
                task.dataset,
                task.recipe.data,
                batch_size=self.trainer.images_per_pass,
                num_batches=batches * replicas_here,
                shard=context.input_pipeline_id,
                num_shards=context.num_input_pipelines,
            )

        return build

    def _eval_step(self, iterator):
        per_replica = self.trainer.strategy.run(self._on_replica, (next(iterator), self.trainer.stopping.read_value()))
        return self.trainer.strategy.reduce("SUM", per_replica, axis=None)

    # As the trainer's step, it has nothing for AutoGraph.
    @tf.autograph.experimental.do_not_convert
    def _on_replica(self, batch, stopping):
        task = self.trainer.task
        logits = self.trainer.model(task.normalised(batch["image"]), training=False)
        losses = task.losses(batch["target"], logits)
        correct = tf.argmax(logits, -1, tf.int32) == input_pipeline.labels(batch["target"])
        valid = tf.cast(batch["valid"], tf.float32)
        # An untrained model may overflow on the black rows that fill the last batch.
        losses = tf.where(batch["valid"], losses, 0.0)
        counts = (losses, tf.cast(correct, tf.float32) * valid, valid)
        loss, right, images = (tf.reduce_sum(count) for count in counts)
        return tf.stack(Sums(loss, right, images, stopping=stopping))
