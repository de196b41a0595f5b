"""LambdaLayer against lucidrains' torch implementation, on its weights: recorded, and live with torch."""

import numpy as np
import pytest

from lambda_keras.layers import LambdaLayer
from tests.golden import lucidrains


def check(name, arrays):
    case = lucidrains.CASES[name]
    layer = LambdaLayer(
        lucidrains.FILTERS,
        num_heads=lucidrains.HEADS,
        key_dim=lucidrains.KEY_DIM,
        intra_depth=case["intra_depth"],
        scope_size=case["scope_size"],
        batch_norm_epsilon=1e-5,
    )
    layer.build(arrays["inputs"].shape)
    layer.set_weights([arrays[weight.path.removeprefix(f"{layer.name}/")] for weight in layer.weights])
    for mode in ("inference", "training"):
        np.testing.assert_allclose(layer(arrays["inputs"], training=mode == "training"), arrays[mode], atol=1e-4)


@pytest.mark.parametrize("name", lucidrains.CASES)
def test_recorded_outputs(name):
    with np.load(lucidrains.FILE, allow_pickle=False) as file:
        arrays = {key.split(":")[1]: file[key] for key in file.files if key.startswith(f"{name}:")}
    check(name, arrays)


@pytest.mark.backends
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", lucidrains.CASES)
def test_live_outputs(name, seed):
    check(name, lucidrains.compute(name, seed))
