"""Which layers a training leaves as they are."""

import keras

from lambda_keras.zoo.recipe import Training
from lambda_keras.zoo.training.averages import batch_norms


def freeze(model: keras.Model, training: Training) -> None:
    """Freezes the layers that a recipe does not train.

    A frozen BatchNorm layer normalises by its moving statistics, which it keeps, in training too.

    Args:
        model: A `keras.Model` whose last layer is the classifier.
        training: A `lambda_keras.zoo.recipe.Training`.
    """
    frozen = list(model.layers[:-1]) if training.trained_layers == "head" else []
    if training.frozen_batch_norm:
        frozen += batch_norms(model)
    for layer in frozen:
        layer.trainable = False
