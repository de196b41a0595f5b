"""Learning-rate schedules by step."""

import keras
from keras import ops

from lambda_keras.zoo.recipe import Training


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up from zero, then another schedule, whose steps count from the end of the warm-up.

    Args:
        peak: The learning rate at the end of the warm-up.
        warmup_steps: Steps of warm-up, at least 1.
        after: The `keras.optimizers.schedules.LearningRateSchedule` that follows.
    """

    def __init__(self, peak: float, warmup_steps: int, after: keras.optimizers.schedules.LearningRateSchedule):
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.after = after

    def __call__(self, step: int | keras.KerasTensor) -> keras.KerasTensor:
        """Returns the learning rate of a step, float32."""
        step = ops.cast(step, "float32")
        rising = self.peak * step / self.warmup_steps
        return ops.where(step < self.warmup_steps, rising, self.after(step - self.warmup_steps))


def build_schedule(training: Training, steps_per_epoch: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Builds a recipe's schedule.

    With w warm-up steps, T steps in all and peak p, the rate of step t is p·t/w for t < w, and from there on
    p·(1 + cos(π·(t - w)/(T - w)))/2 (`cosine`), p·rate^⌊(t - w)/decay_steps⌋ (`exponential`) or p (`constant`).
    Warm-up and cosine are the schedule of LambdaNetworks (appendix, https://arxiv.org/abs/2102.08602), the exponential
    one that of its MobileNetV2.

    Args:
        training: A `lambda_keras.zoo.recipe.Training`.
        steps_per_epoch: Steps in an epoch.

    Returns:
        A `keras.optimizers.schedules.LearningRateSchedule`.
    """
    peak = training.peak_learning_rate
    warmup_steps = round(training.warmup_epochs * steps_per_epoch)
    if training.schedule == "cosine":
        cosine_steps = training.epochs * steps_per_epoch - warmup_steps
        after = keras.optimizers.schedules.CosineDecay(peak, max(cosine_steps, 1))
    else:
        decay_rate = training.decay_rate if training.schedule == "exponential" else 1.0
        decay_steps = round(training.decay_epochs * steps_per_epoch)
        after = keras.optimizers.schedules.ExponentialDecay(peak, max(decay_steps, 1), decay_rate, staircase=True)
    return WarmUp(peak, warmup_steps, after) if warmup_steps else after
