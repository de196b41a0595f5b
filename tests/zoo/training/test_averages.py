import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.recipe import Training
from lambda_keras.zoo.training.averages import Averages, batch_norms
from lambda_keras.zoo.training.optimizers import build_optimizer
from lambda_keras.zoo.training.schedules import build_schedule

DECAY = 0.75
STEPS = 5


def make(**values):
    """Returns a model, its optimizer and its averages."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), lk.layers.BatchNormalization(momentum=0.5)])
    defaults = {"epochs": 1, "batch_size": 8, "optimizer": "momentum", "learning_rate": 0.1, "ema_decay": DECAY}
    training = Training(**{**defaults, **values})
    optimizer = build_optimizer(training, build_schedule(training, 100), model.trainable_variables)
    return model, optimizer, Averages(model, optimizer, tf.distribute.get_strategy())


def train(model, optimizer):
    """Trains some steps with random gradients; returns the weights after each."""
    random = np.random.default_rng(0)
    history = []
    for _ in range(STEPS):
        gradients = [tf.constant(random.normal(size=weight.shape), "float32") for weight in model.trainable_variables]
        optimizer.apply([optimizer.scale_loss(gradient) for gradient in gradients], model.trainable_variables)
        history.append([weight.numpy() for weight in model.trainable_variables])
    return history


def bits(variables):
    return [variable.numpy().tobytes() for variable in variables]


@pytest.fixture(scope="module", params=["momentum", "adamw", "float16"])
def trained(request):
    """A model with averages, and its weights after each step."""
    values = {"precision": "mixed_float16"} if request.param == "float16" else {"optimizer": request.param}
    model, optimizer, averages = make(**values)
    return model, optimizer, averages, train(model, optimizer)


def test_the_averages_are_those_of_numpy(trained):
    model, _, averages, history = trained
    # The average begins with the weights after the first step.
    expected = history[0]
    for weights in history[1:]:
        expected = [DECAY * mean + (1 - DECAY) * weight for mean, weight in zip(expected, weights, strict=True)]
    with averages.in_place_of_weights():
        for weight, mean in zip(model.trainable_variables, expected, strict=True):
            np.testing.assert_allclose(weight.numpy(), mean, rtol=1e-5, atol=1e-7)


def test_weights_and_optimizer_are_the_same_bits_afterwards(trained):
    model, optimizer, averages, _ = trained
    # A number that arithmetic would not give back.
    model.trainable_variables[0].assign(model.trainable_variables[0] * 1e-30 + 1e-42)
    before = bits(model.variables + optimizer.variables)
    with averages.in_place_of_weights():
        assert bits(model.trainable_variables) != before[: len(model.trainable_variables)]
    assert bits(model.variables + optimizer.variables) == before


def test_weights_come_back_after_an_error(trained):
    model, optimizer, averages, _ = trained

    def fail():
        with averages.in_place_of_weights():
            raise KeyError

    before = bits(model.variables + optimizer.variables)
    with pytest.raises(KeyError):
        fail()
    assert bits(model.variables + optimizer.variables) == before


def test_without_a_moving_average_the_weights_stay():
    model, optimizer, averages = make(ema_decay=None)
    train(model, optimizer)
    before = bits(model.variables + optimizer.variables)
    with averages.in_place_of_weights():
        assert bits(model.variables + optimizer.variables) == before
    assert bits(model.variables + optimizer.variables) == before


def test_one_replica_shares_its_statistics_with_nobody():
    model, _, averages = make()
    model(np.random.default_rng(0).normal(size=(8, 3)), training=True)
    before = bits(model.non_trainable_variables)
    averages.share_statistics()
    assert bits(model.non_trainable_variables) == before


def test_batch_norms_inside_other_layers_are_found():
    inner = keras.Sequential([keras.Input((3,)), lk.layers.BatchNormalization()])
    model = keras.Sequential([keras.Input((3,)), inner, lk.layers.BatchNormalization()])
    assert set(batch_norms(model)) == {inner.layers[0], model.layers[1]}


THREE_REPLICAS = """
import json
import keras
import numpy as np
import tensorflow as tf
import lambda_keras as lk
from lambda_keras.zoo.training.averages import Averages
from lambda_keras.zoo.training.optimizers import build_optimizer
from lambda_keras.zoo.training.schedules import build_schedule
from lambda_keras.zoo.recipe import Training

devices = [tf.config.LogicalDeviceConfiguration()] * 3
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
strategy = tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices("CPU")])
training = Training(epochs=1, batch_size=6, optimizer="momentum", learning_rate=0.1, ema_decay=0.75)
report = {}
for synchronized in (False, True):
    with strategy.scope():
        norm = lk.layers.BatchNormalization(momentum=0.5, synchronized=synchronized)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), norm])
        optimizer = build_optimizer(training, build_schedule(training, 100), model.trainable_variables)
    averages = Averages(model, optimizer, strategy)

    @tf.function
    def step(number):
        def on_replica():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            inputs = tf.random.stateless_normal([2, 2], tf.stack([number, replica]))
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(inputs, training=True) ** 3)
            weights = [weight.value for weight in model.trainable_variables]
            optimizer.apply(tape.gradient(loss, weights), model.trainable_variables)

        strategy.run(on_replica)

    def of_replicas(variables):
        values = [strategy.experimental_local_results(variable.value) for variable in variables]
        return [[value.numpy().tolist() for value in replicas] for replicas in values]

    for number in range(3):
        step(number)
    weights = model.trainable_variables
    before = of_replicas(weights)
    with averages.in_place_of_weights():
        averaged = of_replicas(weights)
    statistics = of_replicas([norm.moving_mean, norm.moving_variance])
    averages.share_statistics()
    shared = of_replicas([norm.moving_mean, norm.moving_variance])
    report[synchronized] = [before, averaged, of_replicas(weights), statistics, shared]
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def three_replicas(run_python):
    """Weights before, during and after the exchange, and statistics before and after they are shared.

    Each is a list of variables, which are lists of the replicas' values; for BatchNorm's synchronised or not.
    """
    return json.loads(run_python(THREE_REPLICAS))


def test_the_exchange_copies_bits_on_every_replica(three_replicas):
    for before, averaged, after, _, _ in three_replicas.values():
        assert after == before
        assert averaged != before
        for replicas in averaged:
            assert replicas[0] == replicas[1] == replicas[2]


def test_replicas_share_the_mean_of_their_statistics(three_replicas):
    *_, statistics, shared = three_replicas["false"]
    for of_replicas, mean in zip(statistics, shared, strict=True):
        assert of_replicas[0] != of_replicas[1] != of_replicas[2]
        np.testing.assert_allclose(mean, [np.mean(of_replicas, axis=0)] * 3, rtol=1e-6)


def test_synchronised_statistics_are_left_alone(three_replicas):
    *_, statistics, shared = three_replicas["true"]
    assert shared == statistics
    for replicas in statistics:
        np.testing.assert_allclose(replicas[1:], [replicas[0]] * 2, rtol=1e-6)
