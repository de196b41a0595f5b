import keras
import numpy as np
import pytest

from lambda_keras.zoo.detection import heads


@pytest.fixture(scope="module")
def proposals():
    maps = {f"p{level}": keras.KerasTensor((None, 64 >> level, 64 >> level, 6)) for level in (4, 5)}
    return heads.build_region_proposals(maps, anchors=3, channels=6)


def test_levels_share_all_but_their_normalisation(proposals):
    names = [variable.path for variable in proposals.trainable_variables]
    assert sorted(names) == [
        "region_boxes/bias",
        "region_boxes/kernel",
        "region_conv/kernel",
        "region_p4_bn/beta",
        "region_p4_bn/gamma",
        "region_p5_bn/beta",
        "region_p5_bn/gamma",
        "region_scores/bias",
        "region_scores/kernel",
    ]


def test_a_level_s_statistics_are_of_its_own_map(proposals):
    random = np.random.default_rng(0)
    maps = {"p4": random.normal(size=(2, 4, 4, 6)), "p5": 10 * random.normal(size=(2, 2, 2, 6))}
    proposals({level: x.astype("float32") for level, x in maps.items()}, training=True)
    variances = [proposals.get_layer(f"region_{level}_bn").moving_variance.numpy().mean() for level in maps]
    # Both began at 1 and took 0.3 % of the new one.
    assert (np.array(variances) - 0.997)[1] > 20 * (np.array(variances) - 0.997)[0] > 0


def test_shapes_of_what_the_heads_return(proposals):
    assert {level: x.shape for level, x in proposals.output["scores"].items()} == {
        "p4": (None, 4, 4, 3),
        "p5": (None, 2, 2, 3),
    }
    assert proposals.output["boxes"]["p5"].shape == (None, 2, 2, 12)
    box_head = heads.build_box_head(classes=4, channels=6, dense_channels=8)
    assert {name: x.shape for name, x in box_head.output.items()} == {"logits": (None, 5), "boxes": (None, 20)}
    mask_head = heads.build_mask_head(classes=4, channels=6)
    assert mask_head.output.shape == (None, heads.MASK_SIZE, heads.MASK_SIZE, 5)


def test_kernels_of_the_same_shape_are_not_the_same():
    head = heads.build_mask_head(classes=2, channels=6)
    first, second = (head.get_layer(f"mask_conv{number}").kernel.numpy() for number in (2, 3))
    assert (first != second).all()
