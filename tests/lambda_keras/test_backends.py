"""TensorFlow, jax and torch give the same numbers, each in a process of its own."""

import numpy as np
import pytest

import lambda_keras as lk

BACKENDS = ["tensorflow", *(pytest.param(name, marks=pytest.mark.backends) for name in ("jax", "torch"))]

LAYER_SCRIPT = """
import itertools, sys
import keras, numpy as np
from lambda_keras.layers import LambdaLayer
from lambda_keras.layers.contraction_plan import ORDERS, Plan
from tests.lambda_keras.layers import reference
assert keras.backend.backend() == sys.argv[1]
rng = np.random.default_rng(0)
x, context = rng.normal(size=(2, 4, 6, 8)).astype("float32"), rng.normal(size=(2, 5, 3, 7)).astype("float32")
mask, context_mask = rng.random((24, 24)) < 0.6, rng.random((24, 15)) < 0.6
options = [{"scope_size": None}, {"scope_size": 3, "intra_depth": 2}]
options += [{"query_softmax": True, "key_normalization": "l2"}]
options += [{"scope_size": 3, "implementation": order} for order in ORDERS]
for option, training in itertools.product(options, (False, True)):
    for arguments in ({}, {"mask": mask}, {"context": context}, {"context": context, "mask": context_mask}):
        layer = LambdaLayer(filters=6, num_heads=3, key_dim=4, **option)
        if arguments and "convolution" in layer.implementation:
            continue
        layer.build(x.shape, arguments.get("context", x).shape)
        expected = reference.lambda_layer(layer, x, **arguments, training=training)
        y = keras.ops.convert_to_numpy(layer(x, **arguments, training=training))
        np.testing.assert_allclose(y, expected, atol=1e-4, err_msg=str((option, list(arguments), training)))
        if training is False:
            layer.plan = lambda *_, **__: Plan("query_first", 2)
            y = keras.ops.convert_to_numpy(layer(x, **arguments))
            np.testing.assert_allclose(y, expected, atol=1e-4, err_msg="in chunks")
print("compared")
"""

MODEL_SCRIPT = """
import sys
import keras, numpy as np
import lambda_keras
assert keras.backend.backend() == sys.argv[1]
model = keras.models.load_model(sys.argv[2])
images = np.load(sys.argv[3])
np.save(sys.argv[4], model.predict(images, verbose=0))
model.compile("sgd", "sparse_categorical_crossentropy")
print(model.train_on_batch(images, np.arange(len(images))))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_layer_equals_the_equations(backend, run_python):
    assert "compared" in run_python(LAYER_SCRIPT, backend, KERAS_BACKEND=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_saved_here_predicts_the_same_and_trains_there(backend, run_python, tmp_path):
    model = lk.create_model("lambda_resnet_tiny")
    rng = np.random.default_rng(0)
    # Weights of which every one matters: residual branches start at zero otherwise.
    model.set_weights([w + 0.1 * rng.random(w.shape).astype("float32") for w in model.get_weights()])
    images = rng.normal(size=(4, 32, 32, 3)).astype("float32")
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    files = [tmp_path / name for name in ("model.keras", "images.npy", "predictions.npy")]
    loss = run_python(MODEL_SCRIPT, backend, *files, KERAS_BACKEND=backend)
    np.testing.assert_allclose(np.load(files[-1]), model.predict(images, verbose=0), atol=1e-5)

    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    assert float(loss.split()[-1]) == pytest.approx(float(model.train_on_batch(images, np.arange(4))), rel=1e-3)


def test_import_brings_nothing_from_the_rooms_on_the_right(run_python):
    printed = run_python(
        "import sys, lambda_keras\n"
        "print(set(sys.modules) & {'lambda_keras.zoo', 'lambda_keras.export', 'yaml', 'tensorflow_datasets'})",
        cold=True,
    )
    assert printed.strip() == "set()"
