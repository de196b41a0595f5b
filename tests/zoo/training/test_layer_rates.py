import pytest

import lambda_keras as lk
from lambda_keras.zoo.training.layer_rates import shares_of_rate

STAGES = {"stem": 5, "c2": 4, "c3": 3, "c4": 2, "c5": 1, "predictions": 0}
# Block by block, those of one resolution; the last convolution works where the last blocks do.
BLOCKS = {1: 5, 2: 4, 3: 4, 4: 3, 6: 3, 7: 2, 13: 2, 14: 1, 17: 1}


def powers(model):
    """`{path of a variable: stages from there to the classifier}`, found from shares with a decay of a half."""
    shares = shares_of_rate(model, 0.5)
    return {
        variable.path: [0.5**power for power in range(9)].index(share)
        for variable, share in zip(model.trainable_variables, shares, strict=True)
    }


@pytest.mark.parametrize("size", [160, 150])
def test_a_resnet_has_its_stages(size):
    found = powers(lk.create_model("lambda_resnet26t", input_shape=(size, size, 3), classes=3))
    for stage, power in STAGES.items():
        # What comes before the stride still works at the resolution of the stage before.
        of_stage = {path: found[path] for path in found if path.startswith(stage) and "block1" not in path}
        assert set(of_stage.values()) <= {power, power + (stage == "c2")}, stage
        assert of_stage or stage in ("c2",), stage
    assert found["predictions/bias"] == 0
    assert found["c5_block2_conv3/kernel"] == 1


def test_a_mobilenet_has_them_too():
    found = powers(lk.create_model("lambda_mobilenet_v2", input_shape=(64, 64, 3), classes=3))
    assert {number: found[f"block{number}_project_conv/kernel"] for number in BLOCKS} == BLOCKS
    assert found["head_conv/kernel"] == 1


def test_frozen_layers_have_no_share():
    model = lk.create_model("lambda_resnet_tiny")
    for layer in model.layers[:-1]:
        layer.trainable = False
    assert shares_of_rate(model, 0.5) == [1.0, 1.0]
