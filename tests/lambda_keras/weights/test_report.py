"""LoadReport as a table."""

import pytest

from lambda_keras.weights import LoadReport


def test_prints_counts_and_names_all_that_is_not_as_it_was():
    report = LoadReport(
        "lambda_resnet26t.c1_in1k",
        loaded=tuple(f"layer{i}/kernel" for i in range(12)),
        adapted={"stem1_conv/kernel": "summed over 3 channels"},
        random=("predictions/kernel", "predictions/bias"),
    )
    assert str(report).splitlines() == [
        "lambda_resnet26t.c1_in1k",
        "loaded        12  as they are",
        "adapted        1  stem1_conv/kernel: summed over 3 channels",
        "stays random   2  predictions/kernel",
        "                  predictions/bias",
    ]


@pytest.mark.parametrize("field", [{"adapted": {"a": "resized"}}, {"random": ("a",)}, {"unused": ("a",)}], ids=str)
def test_is_exact_if_nothing_else_happened(field):
    assert LoadReport("file", loaded=("a", "b")).is_exact
    assert not LoadReport("file", loaded=("b",), **field).is_exact
