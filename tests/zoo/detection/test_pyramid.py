import keras
import numpy as np
import pytest

from lambda_keras.zoo.detection.pyramid import EPSILON, build_pyramid


def maps_of(size, lowest):
    return {f"c{level}": keras.KerasTensor((None, size >> level, size >> level, level)) for level in range(lowest, 6)}


@pytest.mark.parametrize("levels", [(2, 3, 4, 5, 6), (3, 4, 5, 6, 7)])
def test_the_maps_halve_from_level_to_level(levels):
    pyramid = build_pyramid(maps_of(128, levels[0]), levels, 4)
    assert {level: x.shape for level, x in pyramid.output.items()} == {
        f"p{level}": (None, 128 >> level, 128 >> level, 4) for level in levels
    }


def test_a_map_is_the_sum_of_all_that_are_coarser():
    maps = {f"c{level}": keras.KerasTensor((None, 128 >> level, 128 >> level, 1)) for level in (4, 5)}
    pyramid = build_pyramid(maps, (4, 5, 6), 1)
    # Convolutions that change nothing, and one that takes twice each pixel.
    for level, factor in ((4, 1), (5, 1), (6, 2)):
        kernel = np.zeros((3, 3, 1, 1))
        # A stride of 2 pads an even map at the end alone: the first place has its corner there.
        kernel[(0, 0) if level == 6 else (1, 1)] = factor
        pyramid.get_layer(f"pyramid_conv{level}").set_weights([kernel, np.zeros(1)])
        if level < 6:
            pyramid.get_layer(f"pyramid_lateral{level}").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    random = np.random.default_rng(0)
    c4, c5 = random.normal(size=(1, 8, 8, 1)).astype("float32"), random.normal(size=(1, 4, 4, 1)).astype("float32")
    found = pyramid({"c4": c4, "c5": c5})
    expected = {"p4": c4 + c5.repeat(2, axis=1).repeat(2, axis=2), "p5": c5, "p6": 2 * c5[:, ::2, ::2]}
    for level, x in expected.items():
        np.testing.assert_allclose(found[level], x / np.sqrt(1 + EPSILON), rtol=1e-5)
