"""What must hold on every backend of Keras; test_backends.py runs it in a process for each of them.

    KERAS_BACKEND=jax python -m tests.lambda_keras.on_backend jax MODEL.keras IMAGES.npy FOLDER

FOLDER gets `loss.json`, `predictions.npy` and `failures.json`: the traceback of each function here that failed.
"""

import itertools
import json
import pathlib
import sys
import traceback

import keras
import numpy as np

import lambda_keras as lk
from lambda_keras.layers import AxialSelfAttention, GlobalSelfAttention, LambdaLayer, LocalSelfAttention
from lambda_keras.layers.contraction_plan import ORDERS, Plan
from tests.lambda_keras.layers import attention_reference, reference
from tests.lambda_keras.test_inference import images, make

# A convolution and a lambda layer: jax compiles each operation that builds a model, for each shape.
FEW_BLOCKS = {"blocks": (0, 0, 1, 1), "lambda_blocks": ((), (), (), (1,))}


def output(layer, x, **arguments):
    """What a layer returns, as an array; compiled under jax, where to compile each operation alone takes longer."""
    if keras.backend.backend() != "jax":
        return keras.ops.convert_to_numpy(layer(x, **arguments))
    import jax

    trained = [variable.value for variable in layer.trainable_variables]
    others = [variable.value for variable in layer.non_trainable_variables]
    outputs, _ = jax.jit(lambda x: layer.stateless_call(trained, others, x, **arguments))(x)
    return np.asarray(outputs)


def layer_equals_the_equations():
    rng = np.random.default_rng(0)
    x, context = rng.normal(size=(2, 4, 6, 8)).astype("float32"), rng.normal(size=(2, 5, 3, 7)).astype("float32")
    mask = rng.random((24, 15)) < 0.6
    options = [{"scope_size": None}, {"scope_size": 3, "intra_depth": 2}]
    options += [{"query_softmax": True, "key_normalization": "l2"}]
    orders = [{"scope_size": 3, "implementation": order} for order in ORDERS]
    # Each alone: test_lambda_layer.py. Training differs in batch normalisation, which knows neither context nor mask.
    calls = [{}, {"context": context, "mask": mask}]
    cases = [*itertools.product(options + orders, calls), *((option, {"training": True}) for option in options)]
    for option, arguments in cases:
        layer = LambdaLayer(filters=6, num_heads=3, key_dim=4, **option)
        if "mask" in arguments and "convolution" in layer.implementation:
            continue
        layer.build(x.shape, arguments.get("context", x).shape)
        expected = reference.lambda_layer(layer, x, **arguments)
        y = output(layer, x, **arguments)
        np.testing.assert_allclose(y, expected, atol=1e-4, err_msg=str((option, list(arguments))))
        # The chunks replace the order.
        if "training" not in arguments and "implementation" not in option:
            layer.plan = lambda *_, **__: Plan("query_first", 2)
            y = output(layer, x, **arguments)
            np.testing.assert_allclose(y, expected, atol=1e-4, err_msg="in chunks")


def attention_equals_the_equations():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(2, 4, 6, 8)).astype("float32"), rng.random((24, 24)) < 0.6
    for layer, window in ((GlobalSelfAttention(num_heads=2), None), (LocalSelfAttention(num_heads=2), (7, 7))):
        layer.build(x.shape)
        for seen in (None, mask):
            expected = attention_reference.self_attention(layer, x, mask=seen, window=window)
            np.testing.assert_allclose(output(layer, x, mask=seen), expected, atol=1e-4)
    layer = AxialSelfAttention(num_heads=2)
    layer.build(x.shape)
    np.testing.assert_allclose(output(layer, x), attention_reference.axial_attention(layer, x), atol=1e-4)


def fused_model_returns_the_same():
    for arguments in ({"scope_size": 3}, {"scope_size": None, "intra_depth": 2}):
        model = make("lambda_resnet_tiny", {**arguments, **FEW_BLOCKS})
        fused = lk.fuse(model)
        fused.save(FOLDER / "fused.keras")
        x = images(model)
        # Of a graph, which jax compiles at once.
        expected, *found = (
            each.predict(x, verbose=0) for each in (model, fused, keras.models.load_model(FOLDER / "fused.keras"))
        )
        for y in found:
            np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def explained_weights_sum_to_the_output():
    keras.utils.set_random_seed(0)
    for scope_size in (None, 5):
        model = lk.create_model("lambda_resnet_tiny", scope_size=scope_size, **FEW_BLOCKS)
        image = np.random.default_rng(0).normal(size=(32, 32, 3)).astype("float32")
        found = lk.explain.interaction_map(model, image, "c5_block1_lambda", (3, 7))
        expected = keras.Model(model.inputs, model.get_layer("c5_block1_lambda").output).predict(image[None], verbose=0)
        np.testing.assert_allclose(found.output, expected[0, 3, 7], rtol=1e-4, atol=1e-4)


def saved_model_predicts_and_trains():
    model, inputs = keras.models.load_model(MODEL), np.load(IMAGES)
    np.save(FOLDER / "predictions.npy", model.predict(inputs, verbose=0))
    model.compile("sgd", "sparse_categorical_crossentropy")
    loss = model.train_on_batch(inputs, np.arange(len(inputs)))
    (FOLDER / "loss.json").write_text(json.dumps(float(loss)))


CHECKS = (
    layer_equals_the_equations,
    attention_equals_the_equations,
    fused_model_returns_the_same,
    explained_weights_sum_to_the_output,
    saved_model_predicts_and_trains,
)


def failure_of(check):
    try:
        check()
    except Exception:
        return traceback.format_exc()
    return None


if __name__ == "__main__":
    BACKEND, MODEL, IMAGES, FOLDER = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
    assert keras.backend.backend() == BACKEND
    (FOLDER / "failures.json").write_text(json.dumps({check.__name__: failure_of(check) for check in CHECKS}))
