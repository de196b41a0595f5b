import math

import pytest

from zoo.schedules import warmup_cosine


def closed_form(step, peak, warmup_steps, total_steps):
    if step < warmup_steps:
        return peak * step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


@pytest.mark.parametrize(("peak", "warmup_steps", "total_steps"), [(0.1, 10, 110), (0.25, 1, 7), (3e-3, 0, 50)])
def test_equals_the_closed_form_at_every_step(peak, warmup_steps, total_steps):
    schedule = warmup_cosine(peak, warmup_steps, total_steps)
    for step in range(total_steps + 5):
        expected = closed_form(step, peak, warmup_steps, total_steps)
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5, abs=1e-7 * peak)


@pytest.mark.parametrize("warmup_steps", [-1, 10, 11])
def test_refuses_a_warmup_that_leaves_nothing(warmup_steps):
    with pytest.raises(ValueError, match=f"warmup_steps={warmup_steps}, total_steps=10"):
        warmup_cosine(0.1, warmup_steps, 10)
