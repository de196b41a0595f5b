import pytest

import lambda_keras as lk
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.weights.models_table import weights_state


def printed(capsys):
    """The rows that were printed: name, image size, and the rest as text."""
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["model", "image", "size", "weights"]
    return [row.split(maxsplit=2) for row in rows]


def test_each_model_has_one_row_with_the_state_of_its_weights(capsys):
    assert main(["models"]) == 0
    rows = printed(capsys)
    assert [row[0] for row in rows] == lk.list_models()
    for name, size, state in rows:
        assert int(size) == lk.applications.get_config(name).image_size
        if name == "lambda_resnet_tiny":
            assert (
                "% top-1 on the 10,000 test images of Fashion-MNIST at 28, published by lambda_keras; digits" in state
            )
        elif name in lk.list_models(pretrained=True):
            assert "% top-1 on ImageNet-1k validation at 256, published by timm" in state
        elif name.startswith(("lambda_resnet", "resnet_rs")):
            assert state.startswith("architecture only; warm start: resnet_rs (i")
        else:
            assert state == "architecture only"


def test_a_pattern_and_only_models_with_weights(capsys):
    assert main(["models", "lambda_resnet26*", "--pretrained"]) == 0
    assert [row[0] for row in printed(capsys)] == ["lambda_resnet26t", "lambda_resnet26rpt_256"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("lambda_resnet26t", "c1_in1k: 79.126 % top-1 on ImageNet-1k validation at 256, published by timm"),
        ("lambda_resnet101", "architecture only; warm start: resnet_rs (i160, i192)"),
        ("mobilenet_v2", "architecture only"),
    ],
)
def test_the_words(model, expected):
    assert weights_state(model) == expected
