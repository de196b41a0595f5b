import numpy as np
import pytest

from lambda_keras.zoo.recipe import Training
from lambda_keras.zoo.training.schedules import build_schedule

PEAK = 0.4
EPOCHS = 6
STEPS_PER_EPOCH = 10


def training(**values):
    return Training(**{"epochs": EPOCHS, "batch_size": 8, "optimizer": "momentum", "learning_rate": PEAK, **values})


def rates(training, steps, steps_per_epoch=STEPS_PER_EPOCH):
    schedule = build_schedule(training, steps_per_epoch)
    return np.array([float(schedule(step)) for step in steps])


def cosine(progress):
    return PEAK * (1 + np.cos(np.pi * progress)) / 2


@pytest.mark.parametrize("warmup_epochs", [0, 0.25, 1, 3])
@pytest.mark.parametrize(
    ("schedule", "after_warmup"),
    [
        ({"schedule": "cosine"}, lambda steps, left: cosine(np.minimum(steps / left, 1))),
        ({"schedule": "constant"}, lambda steps, left: np.full(len(steps), PEAK)),
        (
            {"schedule": "exponential", "decay_rate": 0.9, "decay_epochs": 1.3},
            lambda steps, left: PEAK * 0.9 ** (steps // 13),
        ),
    ],
    ids=lambda value: value["schedule"] if isinstance(value, dict) else "",
)
def test_equals_the_closed_form_at_every_step(schedule, after_warmup, warmup_epochs):
    total, warmup = EPOCHS * STEPS_PER_EPOCH, round(warmup_epochs * STEPS_PER_EPOCH)
    rising = PEAK * np.arange(warmup) / max(warmup, 1)
    falling = after_warmup(np.arange(total + 1 - warmup), total - warmup)
    actual = rates(training(warmup_epochs=warmup_epochs, **schedule), range(total + 1))
    np.testing.assert_allclose(actual, np.concatenate([rising, falling]), rtol=1e-5, atol=1e-7)


def test_the_steps_of_imagenet_do_not_exceed_float32():
    steps_per_epoch, epochs, warmup_epochs = 5004, 350, 5
    steps = np.array([1, 25_019, 25_020, 25_021, 100_003, 876_543, 1_751_000, 1_751_399])
    warmup, total = warmup_epochs * steps_per_epoch, epochs * steps_per_epoch
    expected = np.where(steps < warmup, PEAK * steps / warmup, cosine((steps - warmup) / (total - warmup)))
    actual = rates(training(epochs=epochs, warmup_epochs=warmup_epochs), steps, steps_per_epoch)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("batch_size", "learning_rate_batch_size", "peak"), [(8, None, PEAK), (8, 8, PEAK), (8, 2, 4 * PEAK), (8, 16, 0.2)]
)
@pytest.mark.parametrize("schedule", ["cosine", "exponential", "constant"])
def test_the_peak_grows_linearly_with_the_batch(schedule, batch_size, learning_rate_batch_size, peak):
    scaled = training(
        schedule=schedule,
        warmup_epochs=1,
        batch_size=batch_size,
        learning_rate_batch_size=learning_rate_batch_size,
    )
    assert rates(scaled, [STEPS_PER_EPOCH]) == pytest.approx(peak)


def test_a_warmup_that_rounds_to_all_steps():
    assert rates(training(epochs=1, warmup_epochs=0.9), [0, 1, 2], steps_per_epoch=1) == pytest.approx([0, PEAK, 0])
