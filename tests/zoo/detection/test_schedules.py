import numpy as np
import pytest

from lambda_keras.zoo.detection.schedules import build_schedule
from tests.zoo.detection.training import recipe


def rates(steps, *overrides):
    schedule = build_schedule(recipe(*(f"training.{override}" for override in overrides)).training)
    return [float(schedule(step)) for step in steps]


def test_the_paper_s_schedule_at_its_corners():
    steps = [0, 500, 999, 1000, 116_999, 117_000, 123_499, 123_500, 126_749, 126_750, 129_999]
    expected = [0, 0.16, 0.31968, 0.32, 0.32, 0.032, 0.032, 0.0032, 0.0032, 0.00032, 0.00032]
    paper = ("steps=130000", "learning_rate=0.32", "warmup_steps=1000", "drops=[117000,123500,126750]")
    assert rates(steps, *paper) == pytest.approx(expected, rel=1e-5)


def test_without_a_warm_up_the_drops_are_at_the_same_steps():
    assert rates(range(6), "warmup_steps=0", "drops=[2,4]", "drop_factor=0.5") == pytest.approx(
        [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025]
    )


def test_cosine_and_constant():
    cosine = rates(range(7), "schedule=cosine", "drops=[]")
    expected = [0, 0.005, *(0.005 * (1 + np.cos(np.pi * np.arange(5) / 4)))]
    assert cosine == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert rates(range(4), "schedule=constant", "drops=[]") == pytest.approx([0, 0.005, 0.01, 0.01])
