"""A recipe's optimizer, and the two kinds of weight decay."""

from collections.abc import Sequence

import keras

from lambda_keras.zoo.recipe import CommonTraining
from lambda_keras.zoo.training.layer_rates import with_shares

# Their weight decay is L2 regularisation, part of the gradient, as in the paper and its ResNets. Keras' `weight_decay`
# is decoupled: with momentum 0.9 it would have to be ten times as large for the same effect.
REGULARISED = ("momentum", "nesterov", "rmsprop")
_KINDS = {
    "momentum": keras.optimizers.SGD,
    "nesterov": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adamw": keras.optimizers.AdamW,
    "lamb": keras.optimizers.Lamb,
}


def build_optimizer(
    training: CommonTraining,
    schedule: keras.optimizers.schedules.LearningRateSchedule,
    variables: Sequence[keras.Variable],
    shares: Sequence[float] | None = None,
) -> keras.optimizers.Optimizer:
    """Builds the recipe's optimizer with its schedule, its moving average and its loss scale.

    Args:
        training: A `lambda_keras.zoo.recipe.CommonTraining`.
        schedule: The learning rate by step.
        variables: The model's trainable variables.
        shares: For each of them, what the schedule's learning rate is multiplied by; by default nothing.

    Returns:
        A `keras.optimizers.Optimizer`, built; for `mixed_float16` a `LossScaleOptimizer` around it.
    """
    common = {"use_ema": training.ema_decay is not None, "ema_momentum": training.ema_decay or 0.0}
    kind = _KINDS[training.optimizer]
    if shares is not None:
        kind = with_shares(kind, shares)
    if training.optimizer in ("momentum", "nesterov"):
        nesterov = training.optimizer == "nesterov"
        optimizer = kind(schedule, momentum=training.momentum, nesterov=nesterov, **common)
    elif training.optimizer == "rmsprop":
        optimizer = kind(schedule, momentum=training.momentum, **common)
    else:
        optimizer = kind(schedule, weight_decay=training.weight_decay, **common)
        optimizer.exclude_from_weight_decay([variable for variable in variables if not decays(variable, training)])
    if training.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def decays(variable: keras.Variable, training: CommonTraining) -> bool:
    """Whether weight decay applies to a variable: if it is a kernel, or the recipe says all.

    Biases, BatchNorm's scales and offsets, and position tables are not kernels.

    Args:
        variable: A trainable variable.
        training: A `lambda_keras.zoo.recipe.CommonTraining`.
    """
    return training.weight_decay_on == "all" or variable.name == "kernel"


def inner_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer inside a loss scale, or the optimizer itself.

    Args:
        optimizer: From `build_optimizer`.
    """
    return getattr(optimizer, "inner_optimizer", optimizer)
