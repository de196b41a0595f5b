import pytest

from lambda_keras.export.tflite.quantization import BOUNDS, CALIBRATED, KINDS


def test_the_kinds_are_those_of_the_command():
    assert KINDS == ("none", "float16", "dynamic", "int8", "int8-float-io", "int8-float-lambdas")
    assert set(CALIBRATED) < set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_may_lose_more_than_half_a_point(kind):
    assert BOUNDS[kind].quantization == kind
    assert BOUNDS[kind].accuracy_loss == 0.005
    assert "0.50 points lower" in str(BOUNDS[kind])
