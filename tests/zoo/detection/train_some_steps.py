"""Trains a detector for three steps on one device and on two logical ones; run by test_task.py.

    python -m tests.zoo.detection.train_some_steps FOLDER OUT.npz

FOLDER has the pictures. OUT gets, for `one` and `two`: the losses of each step, every variable of the model and of the
optimizer after three steps and the averages, the moving variances after the first step, and what an evaluation returns
and finds after the last. For `alone`, which is two devices with a mask head that is left unsynchronised, it gets the
same moving variances, which need no gradient.
"""

import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from lambda_keras.zoo.detection.model import parts_of
from lambda_keras.zoo.detection.task import task_of
from lambda_keras.zoo.detection.validation import Validation
from lambda_keras.zoo.training import assemble
from lambda_keras.zoo.training.averages import batch_norms
from lambda_keras.zoo.training.strategy import create
from tests.zoo.detection.training import load_parts, recipe

STEPS = 3
# Scores that differ by more than what float32 rounds: otherwise which proposals are kept is left to rounding.
SPREAD = (
    ("region_proposals", "region_scores", 1e5),
    ("region_proposals", "region_boxes", 1e4),
)


class Double(keras.DTypePolicy):
    """Layers compute in float64, so that the sums of one device and of two round alike; variables stay float32.

    In float32 one proposal more or less is kept on some machines, where its overlap is as good as the threshold.
    """

    def _parse_name(self, name):
        return "float64", "float32"


def start(strategy, folder):
    """A trainer with its stream, on a strategy."""
    # BatchNorm of few numbers squares what rounding leaves of a difference, and the coarsest map has four of a picture.
    settings = recipe("training.learning_rate=0.00001", "training.warmup_steps=0", "training.batch_size=4")
    training = settings.training.model_copy(update={"precision": Double("float32")})
    settings = settings.model_copy(update={"training": training})
    task = task_of(settings, load_parts(pathlib.Path(folder)))
    trainer = assemble.build_trainer(task, strategy, tf.Variable(0.0))
    for part, name, factor in SPREAD:
        layer = trainer.model.get_layer(part).get_layer(name)
        layer.kernel.assign(layer.kernel * factor)
    # The first picture has no object, so that the replicas' counts differ.
    trainer.train_dataset = trainer.stream(0)
    return trainer


def variances(trainer):
    """The moving variances of all BatchNorm layers."""
    values = [layer.moving_variance for layer in batch_norms(trainer.model)]
    return {f"variance/{value.path}": value.numpy() for value in values}


def train(trainer):
    """Returns what the module says, as a dictionary of arrays."""
    results = {"losses": []}
    for step in range(STEPS):
        means = trainer.train(tf.constant(1))
        results["losses"].append([value for name, value in means.items() if name != "learning_rate"])
        if step == 0:
            trainer.averages.share_statistics()
            results |= variances(trainer)
    trainer.averages.share_statistics()
    for variable in trainer.model.weights:
        results[f"model/{variable.path}"] = variable.numpy()
    for variable in trainer.optimizer.variables:
        # Without the optimizer's own name, which Keras numbers.
        results[f"optimizer/{variable.path.rpartition('/')[2]}"] = variable.numpy()
    return results | validate(trainer)


class Recorded(Validation):
    """An evaluation that keeps the boxes: two detectors that find nothing right have the same figures.

    Of each box it keeps the picture, the category, the score and its four numbers.
    """

    def _figures(self, results, seen):
        boxes = [
            [result[name] for name in ("image_id", "category_id", "score")] + result["bbox"]
            for result in results["boxes"]
        ]
        self.boxes = np.array(sorted(boxes, key=lambda box: (box[0], -box[2])))
        return super()._figures(results, seen)


def validate(trainer):
    """What an evaluation returns and finds, as a dictionary of arrays."""
    evaluation = Recorded(trainer, trainer.task.parts.validation)
    figures = evaluation.evaluate()
    return {f"figure/{name}": value for name, value in figures.items()} | {"boxes": evaluation.boxes}


def variances_with_a_head_alone(trainer):
    """The moving variances after the forward pass of the first step, with an unsynchronised mask head."""
    for layer in batch_norms(parts_of(trainer.model).mask_head):
        layer.synchronized = False

    def loss(batch):
        return trainer.task.loss(trainer.model, batch, trainer.passes)[0]

    forward = tf.function(lambda batch: trainer.strategy.run(loss, (batch,)), autograph=False)
    forward(next(iter(trainer.train_dataset)))
    return variances(trainer)


def main(folder, out):
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    # Of two mirrored strategies in a process the second would take the collectives of the first for its own.
    one, two = create("default"), create("mirrored")
    kinds = {
        "one": train(start(one, folder)),
        "two": train(start(two, folder)),
        "alone": variances_with_a_head_alone(start(two, folder)),
    }
    np.savez(out, **{f"{kind}/{key}": value for kind, results in kinds.items() for key, value in results.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
