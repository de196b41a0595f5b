"""Trains a few steps on one device, on two logical devices or as one of two workers; run by test_trainer.py.

    python train_some_steps.py default|mirrored|multi_worker OUT.npz SETTING…

OUT gets, for each of these SETTINGS, the losses, the weights, the averaged weights, BatchNorm's statistics and the
step.
"""

import pathlib
import sys
import tempfile

import numpy as np
import tensorflow as tf

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.training import assemble
from lambda_keras.zoo.training.co_training import task_of
from lambda_keras.zoo.training.preemption import StopFlag
from lambda_keras.zoo.training.strategy import create
from tests.zoo import pseudo_shards

STEPS = 8
COMMON = [
    "data.image_size=16",
    "training.batch_size=32",
    "training.warmup_epochs=0",
    "training.synchronized_batch_norm=true",
    "training.ema_decay=0.9",
    # Behind the convolutions of the stem a block with a lambda layer: more would be traced, not proved.
    "model.overrides.blocks=[0,0,0,1]",
    "model.overrides.lambda_blocks=[[],[],[],[1]]",
]
# Small steps, because every step multiplies what rounding leaves of a difference. LAMB even divides a gradient by its
# size, so that one of nothing but rounding counts as much as others.
SETTINGS = {
    "sgd": [
        "training.optimizer=momentum",
        "training.learning_rate=0.003",
        "training.weight_decay=0.01",
        "training.gradient_clipping=0.5",
        "training.gradient_accumulation=2",
    ],
    # With three pseudo-labelled images beside each labelled one.
    "lamb": [
        "training.optimizer=lamb",
        "training.learning_rate=0.0001",
        "training.weight_decay=0.01",
        "training.gradient_clipping=0.5",
        "training.gradient_accumulation=2",
        "data.random_erasing=0.5",
        "data.pseudo={folder: FOLDER, share: 0.75}",
    ],
    "float16": [
        "training.optimizer=nesterov",
        "training.learning_rate=0.01",
        "training.gradient_clipping=0.5",
        "training.precision=mixed_float16",
        # A CPU computes half precision slowly.
        "training.batch_size=8",
    ],
}


def train(strategy, overrides):
    """Returns what the module says, as a dictionary of arrays."""
    recipe = recipe_file.load("digits", COMMON + overrides)
    trainer = assemble.build_trainer(task_of(recipe, catalog.load(recipe.data)), strategy, StopFlag().raised)
    trainer.train_dataset = trainer.stream(0)
    losses = [trainer.train(tf.constant(1))["loss"] for _ in range(STEPS)]
    flat = {"losses": losses, "weights": values(trainer.weights), "statistics": values(trainer.averages.statistics)}
    with trainer.averages.in_place_of_weights():
        flat["averages"] = values(trainer.weights)
    return {**flat, "step": trainer.step.numpy()}


def values(variables):
    return np.concatenate([variable.numpy().ravel() for variable in variables])


def main(name, out, *settings):
    if name == "mirrored":
        devices = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    strategy = create(name)
    assert strategy.num_replicas_in_sync == (1 if name == "default" else 2)
    with tempfile.TemporaryDirectory() as folder:
        pseudo_shards.write(pathlib.Path(folder))
        results = {
            setting: train(strategy, [override.replace("FOLDER", folder) for override in SETTINGS[setting]])
            for setting in settings
        }
    np.savez(out, **{f"{setting}/{key}": value for setting, arrays in results.items() for key, value in arrays.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
