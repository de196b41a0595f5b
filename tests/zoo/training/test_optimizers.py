"""The optimizers against transcriptions of their papers in NumPy, on a classifier whose gradient is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.data.splits import ArraySplit, Dataset
from lambda_keras.zoo.recipe import Data, Model, Recipe, Training
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.optimizers import build_optimizer, decays, inner_optimizer
from lambda_keras.zoo.training.schedules import build_schedule
from lambda_keras.zoo.training.trainer import Trainer

RATE = 0.05
DECAY = 0.2
CLASSES = 3
BATCH = 4
STEPS = 4


def recipe(**training):
    values = {"epochs": 1, "batch_size": BATCH, "learning_rate": RATE, "schedule": "constant", **training}
    return Recipe(
        model=Model(name="lambda_resnet_tiny"), data=Data(name="digits", image_size=8), training=Training(**values)
    )


def initial_weights():
    random = np.random.default_rng(0)
    return {"kernel": random.normal(size=(4, CLASSES)), "bias": random.normal(size=CLASSES)}


def batches():
    random = np.random.default_rng(1)
    for _ in range(STEPS):
        yield random.integers(0, 256, (BATCH, 2, 2, 1), "uint8"), random.integers(0, CLASSES, BATCH, "int32")


def gradients(weights, images, labels):
    """The gradients of softmax regression, as in any textbook."""
    inputs = images.reshape(BATCH, 4) / 255
    scores = np.exp(inputs @ weights["kernel"] + weights["bias"])
    error = (scores / scores.sum(-1, keepdims=True) - np.eye(CLASSES)[labels]) / BATCH
    return {"kernel": inputs.T @ error, "bias": error.sum(0)}


def momentum(weight, gradient, state, step):
    state["m"] = 0.8 * state.get("m", 0) + gradient
    return weight - RATE * state["m"]


def nesterov(weight, gradient, state, step):
    state["m"] = 0.8 * state.get("m", 0) + gradient
    return weight - RATE * (gradient + 0.8 * state["m"])


def rmsprop(weight, gradient, state, step):
    state["v"] = 0.9 * state.get("v", 0) + 0.1 * gradient**2
    state["m"] = 0.8 * state.get("m", 0) + RATE * gradient / np.sqrt(state["v"] + 1e-7)
    return weight - state["m"]


def adam_direction(gradient, state, step, epsilon):
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * gradient
    state["v"] = 0.999 * state.get("v", 0) + 0.001 * gradient**2
    return state["m"] / (1 - 0.9**step) / (np.sqrt(state["v"] / (1 - 0.999**step)) + epsilon)


def adamw(weight, gradient, state, step):
    return weight - RATE * adam_direction(gradient, state, step, 1e-7)


def lamb(weight, gradient, state, step):
    direction = adam_direction(gradient, state, step, 1e-6)
    return weight - RATE * np.linalg.norm(weight) / np.linalg.norm(direction) * direction


COUPLED = {"momentum": momentum, "nesterov": nesterov, "rmsprop": rmsprop}
DECOUPLED = {"adamw": adamw, "lamb": lamb}


def train_in_numpy(name, decay_on, rate_of_kernel=1.0):
    weights, states = initial_weights(), {"kernel": {}, "bias": {}}
    for step, (images, labels) in enumerate(batches(), 1):
        for key, gradient in gradients(weights, images, labels).items():
            decay = DECAY if decay_on == "all" or key == "kernel" else 0
            before = weights[key]
            if name in COUPLED:
                gradient = gradient + decay * weights[key]
            else:
                weights[key] = weights[key] * (1 - RATE * decay)
            weights[key] = {**COUPLED, **DECOUPLED}[name](weights[key], gradient, states[key], step)
            if key == "kernel":
                # All of these move in proportion to the learning rate.
                weights[key] = before + rate_of_kernel * (weights[key] - before)
    return weights


def train(shares=None, **training):
    """Trains by the trainer's step, the same number of steps on the same batches; returns the weights."""
    resolved = recipe(**training)
    # Float32 whatever the recipe says, so that of its precision the loss scale alone acts.
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(CLASSES)])
    for variable in model.trainable_variables:
        variable.assign(initial_weights()[variable.name])
    optimizer = build_optimizer(
        resolved.training, build_schedule(resolved.training, 100), model.trainable_variables, shares
    )
    part = ArraySplit(np.zeros((BATCH, 2, 2, 1), "uint8"), [0] * BATCH)
    dataset = Dataset("drawn", tuple("abcdefgh"[:CLASSES]), 1, (0.0,), (1.0,), part, part, part)
    task = Classification(resolved, dataset)
    trainer = Trainer(model, optimizer, task, tf.distribute.get_strategy(), tf.Variable(0.0))
    for images, labels in batches():
        batch = {"image": images, "target": tf.one_hot(labels, CLASSES), "valid": np.ones(BATCH, bool)}
        trainer.train_on_replica(batch, tf.constant(0.0))
    return {variable.name: variable.numpy() for variable in model.trainable_variables}


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("decay_on", ["kernels", "all"])
@pytest.mark.parametrize("name", [*COUPLED, *DECOUPLED])
def test_training_is_that_of_numpy(name, decay_on, precision):
    trained = train(optimizer=name, momentum=0.8, weight_decay=DECAY, weight_decay_on=decay_on, precision=precision)
    for key, expected in train_in_numpy(name, decay_on).items():
        np.testing.assert_allclose(trained[key], expected, rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "rmsprop", "adamw"])
def test_a_variable_with_a_share_of_the_rate_moves_by_that_share(name):
    trained = train([0.25, 1.0], optimizer=name, momentum=0.8, weight_decay=DECAY)
    for key, expected in train_in_numpy(name, "kernels", rate_of_kernel=0.25).items():
        np.testing.assert_allclose(trained[key], expected, rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("momentum", keras.optimizers.SGD),
        ("nesterov", keras.optimizers.SGD),
        ("rmsprop", keras.optimizers.RMSprop),
        ("adamw", keras.optimizers.AdamW),
        ("lamb", keras.optimizers.Lamb),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("ema_decay", [None, 0.9999])
def test_what_is_built_for_a_recipe(name, kind, precision, ema_decay):
    training = recipe(optimizer=name, precision=precision, ema_decay=ema_decay, warmup_epochs=0.5).training
    optimizer = build_optimizer(training, build_schedule(training, 100), [keras.Variable(np.zeros(2), name="kernel")])
    assert optimizer.built
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer) == (precision == "mixed_float16")
    inner = inner_optimizer(optimizer)
    assert type(inner) is kind
    assert inner.use_ema == (ema_decay is not None)
    assert inner.ema_momentum == (ema_decay or 0)
    assert getattr(inner, "nesterov", False) == (name == "nesterov")
    inner.iterations.assign(25)
    assert float(inner.learning_rate) == pytest.approx(RATE / 2)


@pytest.mark.parametrize("name", ["lambda_resnet_tiny", "lambda_mobilenet_v2"])
def test_only_kernels_decay_unless_all_shall(name):
    variables = lk.create_model(name, input_shape=(32, 32, 3), classes=2).trainable_variables
    kernels_only, everything = (recipe(optimizer="adamw", weight_decay_on=on).training for on in ("kernels", "all"))
    assert all(decays(variable, everything) for variable in variables)
    decayed = {variable.name for variable in variables if decays(variable, kernels_only)}
    spared = {variable.name for variable in variables if not decays(variable, kernels_only)}
    assert decayed == {"kernel"}
    assert spared == {"bias", "gamma", "beta", "table"}
