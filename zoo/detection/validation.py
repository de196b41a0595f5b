"""Average precision of a detector in training, under a strategy, with the averaged weights."""

import functools

import numpy as np
import orbit
import tensorflow as tf

from lambda_keras.zoo.detection import evaluator
from lambda_keras.zoo.detection.data import input_pipeline
from lambda_keras.zoo.detection.data.parts import Part
from lambda_keras.zoo.detection.detections import Detections
from lambda_keras.zoo.detection.found import Found, add_results, no_results
from lambda_keras.zoo.detection.task import Detection
from lambda_keras.zoo.errors import StoppedError, UserError
from lambda_keras.zoo.training.trainer import Trainer


class Validation(orbit.AbstractEvaluator):
    """Measures a trainer's detector on a part, every picture once and none jittered.

    All workers get what all replicas have found, and compute the same figures.

    Args:
        trainer: A `lambda_keras.zoo.training.trainer.Trainer`, whose model, strategy and task are used.
        part: The `lambda_keras.zoo.detection.data.parts.Part`.
    """

    def __init__(self, trainer: Trainer[Detection], part: Part):
        self.trainer = trainer
        self.part = part
        self._step = tf.function(self._eval_step)
        # In a function, because TensorFlow wraps the lists of an attribute, which COCO's tools do not take.
        self._truth = functools.cache(lambda: evaluator.ground_truth(part))

    def evaluate(self, num_steps: int = -1) -> dict[str, float]:
        """Returns `box_ap` and `box_ap50`, with masks `mask_ap` and `mask_ap50` too, and the pictures that were read.

        What is not there to be found has no figure.

        Args:
            num_steps: Orbit's; the whole part is evaluated always.

        Raises:
            StoppedError: A signal asked for it.
            UserError: None of the pictures could be read.
        """
        trainer, strategy = self.trainer, self.trainer.strategy
        batches = -(-self.part.split.count // (strategy.num_replicas_in_sync * trainer.images_per_pass))
        iterator = iter(strategy.distribute_datasets_from_function(self._batches_of_worker(batches)))
        results = no_results(with_masks="mask" in trainer.task.kinds)
        seen: list[int] = []
        trainer.averages.share_statistics()
        with trainer.averages.in_place_of_weights():
            for _ in range(batches):
                found, stopping = self._step(iterator)
                if stopping.numpy() > 0:
                    raise StoppedError(int(trainer.step.numpy()))
                found = {name: strategy.gather(value, axis=0).numpy() for name, value in found.items()}
                seen += self._collect(found, results)
        if not seen:
            raise UserError(f"none of the {self.part.split.count} pictures to evaluate could be read")
        return {**self._figures(results, seen), "images": len(seen)}

    def _batches_of_worker(self, batches):
        data = self.trainer.task.recipe.data

        def build(context):
            replicas_here = context.num_replicas_in_sync // context.num_input_pipelines
            return input_pipeline.evaluation_batches(
                self.part,
                image_size=data.image_size,
                batch_size=self.trainer.images_per_pass,
                num_batches=batches * replicas_here,
                most_pixels=data.most_pixels,
                shard=context.input_pipeline_id,
                num_shards=context.num_input_pipelines,
            )

        return build

    def _eval_step(self, iterator):
        strategy = self.trainer.strategy
        found = strategy.run(self._on_replica, (next(iterator),))
        stopping = strategy.run(tf.identity, (self.trainer.stopping.read_value(),))
        return found, strategy.reduce("SUM", stopping, axis=None)

    @tf.autograph.experimental.do_not_convert
    def _on_replica(self, batch):
        task, scale = self.trainer.task, batch["scale"][:, tf.newaxis]
        content = tf.round(tf.cast(batch["source_size"], tf.float32) * scale)
        # A TPU compiles with XLA, which does not have the combined kernel.
        combined = not isinstance(self.trainer.strategy, tf.distribute.TPUStrategy)
        found = task.detect(self.trainer.model, task.normalised(batch["image"]), content, combined)
        kept = {name: value for name, value in found._asdict().items() if value is not None}
        kept |= {name: batch[name] for name in ("image_id", "scale", "source_size")}
        # Between workers no booleans can be gathered.
        return {**kept, "valid": tf.cast(batch["valid"], tf.int32)}

    def _collect(self, found, results):
        """Adds what was found in a batch to the results, and returns the numbers of its pictures."""
        # The others have no scale to divide by.
        found = {name: column[found["valid"] > 0] for name, column in found.items()}
        edges = np.tile(found["source_size"], 2).astype("float32")[:, np.newaxis]
        boxes = np.minimum(found["boxes"] / found["scale"][:, np.newaxis, np.newaxis], edges)
        detections = Detections(boxes, found["classes"], found["scores"], found.get("masks"))
        seen = found["image_id"].tolist()
        for row, (image_id, size) in enumerate(zip(seen, found["source_size"], strict=True)):
            add_results(results, Found.of(detections, row, size).results(image_id, self.part.categories))
        return seen

    def _figures(self, results, seen):
        names: dict[evaluator.Kind, str] = {"boxes": "box", "masks": "mask"}
        figures: dict[str, float | None] = {}
        for kind, name in names.items():
            if kind in results:
                values = evaluator.evaluate(self._truth(), results[kind], kind, seen)
                figures |= {f"{name}_ap": values.ap, f"{name}_ap50": values.ap50}
        # TensorBoard takes numbers alone.
        return {name: value for name, value in figures.items() if value is not None}
