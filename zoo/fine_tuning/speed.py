"""How fast a recipe trains on this machine, by a few steps that are thrown away."""

import time

import tensorflow as tf

from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.recipe import Recipe
from lambda_keras.zoo.training import assemble
from lambda_keras.zoo.training.classification import Classification

WARM_UP_STEPS = 2
STEPS = 5


def measure(recipe: Recipe, dataset: Dataset) -> tuple[float, float]:
    """Measures a training.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: Its `lambda_keras.zoo.data.splits.Dataset`.

    Returns:
        The images a second, and the seconds until its graph is traced and runs, which each training takes once.
    """
    begin = time.perf_counter()
    trainer = assemble.build_trainer(Classification(recipe, dataset), tf.distribute.get_strategy(), tf.Variable(0.0))
    trainer.train_dataset = trainer.stream(0)
    trainer.train(tf.constant(WARM_UP_STEPS))
    start = time.perf_counter()
    trainer.train(tf.constant(STEPS))
    return STEPS * recipe.training.batch_size / (time.perf_counter() - start), start - begin
