import ml_dtypes
import numpy as np
import pytest

from lambda_keras.weights.finite import not_finite


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float32", "float64"])
def test_each_value_counts_in_every_type_and_the_order_stays(dtype):
    tensors = {name: np.zeros((2, 3), dtype) for name in "dcba"}
    tensors["c"][1, 2] = np.nan
    tensors["b"][0, 0] = -np.inf
    assert not_finite(tensors.items()) == ["c", "b"]


def test_whole_numbers_and_nothing_are_finite():
    assert not_finite([("steps", np.arange(3)), ("empty", np.zeros(0)), ("flag", np.array(True))]) == []
