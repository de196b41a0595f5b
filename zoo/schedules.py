"""Learning-rate schedules by step."""

import keras


def warmup_cosine(peak, warmup_steps, total_steps):
    """A linear warm-up from zero to `peak`, then half a cosine down to zero.

    With w = `warmup_steps`, T = `total_steps`, the rate of step t is `peak * t / w` for t < w and
    `peak * (1 + cos(pi * (t - w) / (T - w))) / 2` from there on, which is zero at step T and after it.
    It is the schedule of LambdaNetworks (appendix, https://arxiv.org/abs/2102.08602).

    Args:
        peak: The learning rate at the end of the warm-up.
        warmup_steps: Steps of warm-up, 0 for none.
        total_steps: Steps of the whole training, warm-up included.

    Returns:
        A `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: The warm-up leaves no step to train in.

    Example:
        >>> schedule = warmup_cosine(peak=0.1, warmup_steps=10, total_steps=110)
        >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    if not 0 <= warmup_steps < total_steps:
        raise ValueError(
            f"`warmup_steps` must be at least 0 and below `total_steps`. Received: warmup_steps={warmup_steps}, "
            f"total_steps={total_steps}"
        )
    decay_steps = total_steps - warmup_steps
    if warmup_steps == 0:
        return keras.optimizers.schedules.CosineDecay(peak, decay_steps)
    return keras.optimizers.schedules.CosineDecay(0.0, decay_steps, warmup_target=peak, warmup_steps=warmup_steps)
