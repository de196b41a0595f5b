"""Repositories of the Hub as users write them."""

import pytest

from lambda_keras.weights import WeightsError
from lambda_keras.weights.hub_name import is_hub_name, split_hub_name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("hf://timm/lambda_resnet26t.c1_in1k", ("timm/lambda_resnet26t.c1_in1k", None)),
        ("hf://me/flowers@v1.0", ("me/flowers", "v1.0")),
        ("hf://me/flowers@refs/pr/1", ("me/flowers", "refs/pr/1")),
    ],
)
def test_splits(name, parts):
    assert is_hub_name(name)
    assert split_hub_name(name) == parts


@pytest.mark.parametrize("name", ["hf://flowers", "hf://", "hf://me/", "hf:///flowers", "hf://me/a/b", "hf://me/a@"])
def test_refuses_other_forms(name):
    with pytest.raises(WeightsError, match="hf://owner/repository"):
        split_hub_name(name)


def test_a_path_is_no_hub_name(tmp_path):
    assert not is_hub_name(tmp_path)
    assert not is_hub_name("model.safetensors")
