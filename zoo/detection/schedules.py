"""Learning-rate schedules of detectors: by step, with drops at steps that a recipe names."""

from collections.abc import Sequence

import keras
from keras import ops

from lambda_keras.zoo.detection.recipe import DetectorTraining
from lambda_keras.zoo.training.schedules import WarmUp


class Drops(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is multiplied by a factor at each of some steps.

    Args:
        peak: The learning rate before the first.
        drops: Steps, rising; the step itself has the lower rate.
        factor: What the rate is multiplied by.
    """

    def __init__(self, peak: float, drops: Sequence[int], factor: float):
        super().__init__()
        self.peak = peak
        self.drops = tuple(drops)
        self.factor = factor

    def __call__(self, step: int | keras.KerasTensor) -> keras.KerasTensor:
        """Returns the learning rate of a step, float32."""
        step = ops.cast(step, "float32")
        rates = ops.convert_to_tensor([self.peak * self.factor**number for number in range(len(self.drops) + 1)])
        passed = ops.sum(ops.cast(step >= ops.convert_to_tensor(self.drops, "float32"), "int32"))
        return ops.take(rates, passed)


def build_schedule(training: DetectorTraining) -> keras.optimizers.schedules.LearningRateSchedule:
    """Builds a recipe's schedule.

    With w warm-up steps, T steps in all and peak p, the rate of step t is p·t/w for t < w, and from there on
    p·drop_factor^n after n drops (`drops`), p·(1 + cos(π·(t - w)/(T - w)))/2 (`cosine`) or p (`constant`). Warm-up and
    three drops are the paper's for Mask R-CNN (LambdaNetworks, section 5, https://arxiv.org/abs/2102.08602).

    Args:
        training: A `lambda_keras.zoo.detection.recipe.DetectorTraining`.

    Returns:
        A `keras.optimizers.schedules.LearningRateSchedule`.
    """
    peak, warmup_steps = training.peak_learning_rate, training.warmup_steps
    after: keras.optimizers.schedules.LearningRateSchedule
    if training.schedule == "cosine":
        after = keras.optimizers.schedules.CosineDecay(peak, training.steps - warmup_steps)
    else:
        # What follows a warm-up counts its steps from there; without drops the rate is constant.
        after = Drops(peak, [drop - warmup_steps for drop in training.drops], training.drop_factor)
    return WarmUp(peak, warmup_steps, after) if warmup_steps else after
