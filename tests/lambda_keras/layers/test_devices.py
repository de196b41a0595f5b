import sys

import numpy as np
import pytest

from lambda_keras.layers.contraction_plan import CONVOLUTIONS, DENSE_ORDERS, ON_AVX2, ON_AVX512, Depths, Problem, plan
from lambda_keras.layers.devices import current_device, has_avx512, runs_on_cpu
from lambda_keras.layers.grids import Grids


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_the_instructions_are_those_that_numpy_finds():
    assert has_avx512() == np._core._multiarray_umath.__cpu_features__["AVX512F"]


@pytest.mark.skipif(not runs_on_cpu(), reason="an accelerator")
def test_a_cpu_has_the_costs_of_its_instructions():
    assert current_device() is (ON_AVX512 if has_avx512() else ON_AVX2)


@pytest.mark.parametrize(("device", "orders"), [(ON_AVX512, CONVOLUTIONS), (ON_AVX2, DENSE_ORDERS)])
def test_convolutions_of_many_pairs_are_for_avx512(device, orders):
    # The first lambda layer of lambda_resnet_tiny at 16 pixels, whose convolution took seven times as long with AVX2.
    depths = Depths(num_heads=4, key_dim=16, value_dim=8)
    problem = Problem(Grids((16, 16), (16, 16)), depths, scope_size=(15, 15), batch=64)
    assert plan(problem, device=device).order in orders
