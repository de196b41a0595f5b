import keras
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.training import assemble, memory
from lambda_keras.zoo.training.classification import Classification

FLOAT32 = 4
ONE_BLOCK = ("model.overrides.blocks=[0,0,0,1]", "model.overrides.lambda_blocks=[[],[],[],[1]]")


def build_trainer(*overrides):
    recipe = recipe_file.load("digits", overrides)
    dataset = catalog.load(recipe.data)
    return assemble.build_trainer(Classification(recipe, dataset), tf.distribute.get_strategy(), tf.Variable(0.0))


def test_activations_are_what_the_gradient_reads():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)  # The gradient reads its input.
    x = lk.layers.BatchNormalization()(x)  # Its input, and mean and deviation of each channel.
    x = keras.layers.Activation("relu")(x)  # Its output.
    x = keras.layers.Reshape((8 * 8 * 16,))(x)  # Nothing: the output of the activation under another shape.
    outputs = keras.layers.Dense(10)(x)  # Its input, counted already. The loss adds its probabilities.
    model = keras.Model(inputs, outputs)
    images = 5
    numbers = images * (8 * 8 * 3 + 2 * 8 * 8 * 16 + 10) + 2 * 16
    assert memory.activations(model, images) == FLOAT32 * numbers


def test_activations_of_half_precision_take_half_the_memory():
    sizes = {
        # One block behind the stem has every kind of layer.
        precision: memory.activations(build_trainer(f"training.precision={precision}", *ONE_BLOCK).model, 8)
        for precision in ("float32", "mixed_bfloat16")
    }
    assert sizes["mixed_bfloat16"] == pytest.approx(sizes["float32"] / 2, rel=0.1)


def test_blocks_that_are_computed_again_keep_less_than_half():
    # A lambda layer in one block: each is traced three times.
    blocks = ("model.overrides.blocks=[1,1,1,1]", "model.overrides.lambda_blocks=[[],[],[],[1]]")
    sizes = {
        remat: memory.activations(build_trainer(f"model.overrides.remat={remat}", *blocks).model, 8)
        for remat in ("null", "blocks")
    }
    assert sizes["blocks"] < sizes["null"] / 2


@pytest.mark.parametrize(
    ("optimizer", "slots"), [("momentum", 1), ("nesterov", 1), ("rmsprop", 2), ("adamw", 2), ("lamb", 2)]
)
def test_weights_gradients_and_slots(optimizer, slots, monkeypatch):
    monkeypatch.setattr(memory, "activations", lambda model, images: 1000 * images)
    trainer = build_trainer(f"training.optimizer={optimizer}")
    parts = memory.estimate(trainer, 8)
    trainable = FLOAT32 * sum(weight.numpy().size for weight in trainer.model.trainable_variables)
    assert parts.weights == pytest.approx(FLOAT32 * trainer.model.count_params(), rel=1e-3)
    assert parts.gradients == trainable
    assert parts.optimizer == pytest.approx(slots * trainable, rel=1e-3)
    assert parts.moving_average == 0
    assert parts.input_batch == 8 * 32 * 32 * (1 + 1 + FLOAT32)
    assert parts.activations == 8000
    assert parts.total == parts.weights + parts.gradients + parts.optimizer + parts.activations + parts.input_batch


def test_moving_average_and_accumulation(monkeypatch):
    monkeypatch.setattr(memory, "activations", lambda model, images: 0)
    plain = memory.estimate(build_trainer(), 8)
    parts = memory.estimate(build_trainer("training.ema_decay=0.99", "training.gradient_accumulation=2"), 8)
    assert parts.moving_average == plain.gradients
    assert parts.gradients == 2 * plain.gradients
    assert (parts.weights, parts.optimizer) == (plain.weights, plain.optimizer)


def test_the_estimate_is_what_a_training_step_takes(run_python):
    """Peaks of a whole process that runs the trainer's step, with few images first and then with many."""
    few, many = 2, 96
    printed = run_python(
        f"""
import tensorflow as tf
from benchmarks import process_memory
from tests.zoo.training.test_memory import build_trainer
from lambda_keras.zoo.training import memory

trainer = build_trainer("training.optimizer=momentum", "data.image_size=64")
step = tf.function(lambda batch: trainer.train_on_replica(batch, trainer.stopping))
for images in ({few}, {many}):
    batch = {{
        "image": tf.zeros([images, 64, 64, 1], tf.uint8),
        "target": tf.one_hot(tf.zeros([images], tf.int32), 10),
        "valid": tf.ones([images], tf.bool),
    }}
    estimate = memory.estimate(trainer, images).total
    step(batch)
    print(process_memory.memory(process_memory.PEAK), estimate)
"""
    )
    (peak_of_few, estimate_of_few), (peak_of_many, estimate_of_many) = (
        map(int, line.split()) for line in printed.splitlines()
    )
    estimate = estimate_of_many - estimate_of_few
    assert estimate > 100e6, "far above what a process takes for other reasons"
    assert 1 <= (peak_of_many - peak_of_few) / estimate < 1.6
