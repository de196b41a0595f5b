"""A recipe's optimizer, and the two kinds of weight decay."""

import keras

from zoo.training import schedules

# Their weight decay is L2 regularisation, part of the gradient, as in the paper and its ResNets. Keras' `weight_decay`
# is decoupled: with momentum 0.9 it would have to be ten times as large for the same effect.
REGULARISED = ("momentum", "nesterov", "rmsprop")


def build_optimizer(training, steps_per_epoch, variables):
    """Builds the recipe's optimizer with its schedule, its moving average and its loss scale.

    Args:
        training: A `zoo.recipe.Training`.
        steps_per_epoch: Steps in an epoch.
        variables: The model's trainable variables.

    Returns:
        A `keras.optimizers.Optimizer`, built; for `mixed_float16` a `LossScaleOptimizer` around it.
    """
    schedule = schedules.build_schedule(training, steps_per_epoch)
    common = {"use_ema": training.ema_decay is not None, "ema_momentum": training.ema_decay or 0.0}
    if training.optimizer in ("momentum", "nesterov"):
        nesterov = training.optimizer == "nesterov"
        optimizer = keras.optimizers.SGD(schedule, momentum=training.momentum, nesterov=nesterov, **common)
    elif training.optimizer == "rmsprop":
        optimizer = keras.optimizers.RMSprop(schedule, momentum=training.momentum, **common)
    else:
        decoupled = {"adamw": keras.optimizers.AdamW, "lamb": keras.optimizers.Lamb}[training.optimizer]
        optimizer = decoupled(schedule, weight_decay=training.weight_decay, **common)
        optimizer.exclude_from_weight_decay([variable for variable in variables if not decays(variable, training)])
    if training.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def decays(variable, training):
    """Whether weight decay applies to a variable: if it is a kernel, or the recipe says all.

    Biases, BatchNorm's scales and offsets, and position tables are not kernels.
    """
    return training.weight_decay_on == "all" or variable.name == "kernel"


def inner_optimizer(optimizer):
    """The optimizer inside a loss scale, or the optimizer itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)
