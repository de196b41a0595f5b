"""What is timed computes what it says, on each backend: compared with NumPy."""

import json

import numpy as np
import pytest

BACKENDS = ["tensorflow", *(pytest.param(name, marks=pytest.mark.backends) for name in ("jax", "torch"))]
LABELS = [0, 3, 1, 1, 2]

SCRIPT = f"""
import json, sys
import keras, numpy as np
from benchmarks import steps

keras.utils.set_random_seed(0)
layer = keras.layers.Dense(4, bias_initializer="normal")
model = keras.Sequential([keras.Input((3,)), layer])
inputs = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
tensor = keras.ops.convert_to_tensor(inputs)
numbers = lambda tensor: keras.ops.convert_to_numpy(tensor).tolist()
found = {{"inputs": inputs.tolist(), "kernel": numbers(layer.kernel), "bias": numbers(layer.bias)}}
found["inference"] = numbers(steps.inference(model, tensor)())
found["gradients"] = [numbers(gradient) for gradient in steps.gradients(layer, tensor)()]
step = steps.training_step(model, tensor, keras.ops.convert_to_tensor({LABELS}, "int32"))
found["losses"] = [float(step()) for _ in range(4)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=BACKENDS)
def found(request, run_python):
    return json.loads(run_python(SCRIPT, KERAS_BACKEND=request.param).splitlines()[-1])


def losses_of_momentum(inputs, kernel, bias, steps):
    """Cross entropies of a softmax regression while it is trained."""
    slots = np.zeros_like(kernel), np.zeros_like(bias)
    for _ in range(steps):
        scores = np.exp(inputs @ kernel + bias)
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        yield -np.log(probabilities[np.arange(len(LABELS)), LABELS]).mean()
        error = (probabilities - np.eye(4)[LABELS]) / len(LABELS)
        slots = 0.9 * slots[0] - 1e-3 * inputs.T @ error, 0.9 * slots[1] - 1e-3 * error.sum(axis=0)
        kernel, bias = kernel + slots[0], bias + slots[1]


def test_inference(found):
    expected = np.array(found["inputs"]) @ found["kernel"] + found["bias"]
    np.testing.assert_allclose(found["inference"], expected, rtol=1e-4, atol=1e-5)


def test_gradients_for_inputs_and_weights(found):
    inputs, kernel = np.array(found["inputs"]), np.array(found["kernel"])
    expected = (
        np.tile(kernel.sum(axis=1), (5, 1)),
        np.tile(inputs.sum(axis=0)[:, None], (1, 4)),
        np.full(4, 5.0),
    )
    for gradient, wanted in zip(found["gradients"], expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5)


def test_each_training_step_continues_the_one_before(found):
    expected = [*losses_of_momentum(*(np.array(found[name]) for name in ("inputs", "kernel", "bias")), steps=4)]
    assert expected[0] - expected[3] > 1e-4
    np.testing.assert_allclose(found["losses"], expected, rtol=0, atol=1e-6)
