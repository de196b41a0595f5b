import numpy as np
import pytest

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.pseudo_labels.selection import Settings, copies

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3])
CONFIDENCE = np.array([0.9, 0.4, 0.6, 0.6, 0.5, 0.3, 0.2, 0.9, 0.1], "float32")
ALL = np.full(9, True)


def test_each_image_above_the_threshold_becomes_one_record():
    assert copies(LABELS, CONFIDENCE, ALL, Settings(threshold=0.5)).tolist() == [1, 0, 1, 1, 1, 0, 0, 1, 0]
    assert copies(LABELS, CONFIDENCE, CONFIDENCE < 0.9, Settings(threshold=0)).tolist() == [0, 1, 1, 1, 1, 1, 1, 0, 1]


def test_a_class_has_as_many_records_as_are_wanted():
    """By hand, 3 each: class 0 has 4, the least confident goes; class 1 has 2, so one whole copy and one drawn."""
    found = copies(LABELS, CONFIDENCE, ALL, Settings(threshold=0.3, per_class=3))
    assert found[:4].tolist() == [1, 0, 1, 1]
    assert sorted(found[4:6].tolist()) == [1, 2]
    assert found[6:].tolist() == [0, 3, 0]
    # Of equal ones the first.
    assert copies(LABELS, CONFIDENCE, ALL, Settings(threshold=0.3, per_class=2))[:4].tolist() == [1, 0, 1, 0]


def test_the_remainder_is_drawn_by_the_seed_and_nothing_twice():
    labels, confidence = np.zeros(100, int), np.linspace(0.5, 1, 100)
    drawn = [copies(labels, confidence, labels == 0, Settings(per_class=230, seed=seed)) for seed in (0, 0, 1)]
    for found in drawn:
        assert found.sum() == 230
        assert set(found.tolist()) == {2, 3}
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


def test_nothing_may_reach_the_threshold():
    assert copies(LABELS, CONFIDENCE, ~ALL, Settings(per_class=3)).sum() == 0


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises(UserError, match="--threshold is a probability from 0 to 1, got"):
        Settings(threshold)
