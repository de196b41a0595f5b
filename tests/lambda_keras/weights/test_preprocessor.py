"""Preprocessor: its bounds, and its file."""

import json
import math

import pytest

from lambda_keras.weights import Preprocessor, WeightsError


def test_comes_back_from_its_file():
    preprocessor = Preprocessor(28, 1.0, "bilinear", mean=(0.2860,), std=(0.3530,))
    assert Preprocessor.from_json(preprocessor.to_json(), "preprocessor.json") == preprocessor
    assert json.loads(preprocessor.to_json())["std"] == [0.3530]


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 0},
        {"image_size": "256"},
        {"image_size": True},
        {"evaluation_crop": 1.1},
        {"evaluation_crop": 0},
        {"evaluation_crop": None},
        {"interpolation": "lanczos"},
        {"mean": ()},
        {"mean": (math.nan, 0, 0)},
        {"std": (1, 1)},
        {"std": (1, 1, 0)},
    ],
    ids=str,
)
def test_refuses_what_no_image_can_be_prepared_with(wrong):
    with pytest.raises(WeightsError, match=next(iter(wrong))):
        Preprocessor(**{"image_size": 224, **wrong})


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "3", "null", '{"image_size": 8, "size": 8}', '{"mean": 3, "image_size": 8}', "[" * 100_000),
        *(f'{{"image_size": 8, "mean": [1{"0" * zeros}], "std": [1]}}' for zeros in (400, 5000)),
    ],
    ids=lambda text: text[:30],
)
def test_a_damaged_file_is_an_error(text):
    with pytest.raises(WeightsError, match=r"share/preprocessor\.json is damaged"):
        Preprocessor.from_json(text, "share/preprocessor.json")
