import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog, splits
from lambda_keras.zoo.errors import StoppedError, UserError
from lambda_keras.zoo.training import assemble
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.evaluator import Evaluator

# At this size the digits are not resized. 135 validation images fill the last batch of 32 by a quarter.
SETTINGS = [
    "data.image_size=8",
    "data.crop=none",
    "data.crop_padding=0",
    "training.batch_size=32",
    "training.warmup_epochs=0",
    "training.ema_decay=0.5",
]


@pytest.fixture(scope="module")
def trainer():
    """A trainer whose model says different things of different digits, and another when its weights are averaged."""
    recipe = recipe_file.load("digits", SETTINGS)
    dataset = catalog.load(recipe.data)
    trainer = assemble.build_trainer(Classification(recipe, dataset), tf.distribute.get_strategy(), tf.Variable(0.0))
    random = np.random.default_rng(0)
    head = trainer.model.layers[-1].kernel
    head.assign(random.normal(size=head.shape))
    for _ in range(3):
        gradients = [tf.constant(random.normal(size=weight.shape), "float32") for weight in trainer.weights]
        trainer.optimizer.apply(gradients, trainer.model.trainable_variables)
    return trainer


def arrays(split):
    images, labels = zip(*split.ordered().as_numpy_iterator(), strict=True)
    return np.stack(images), np.array(labels)


def keras_evaluate(model, images, labels):
    """Keras' own evaluation, with the label smoothing of the digits recipe."""
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(loss=loss, metrics=["accuracy"])
    normalised = (images.astype("float32") / 255 - 0.305) / 0.376
    values = model.evaluate(normalised, np.eye(10)[labels], batch_size=100, verbose=0, return_dict=True)
    return {**{name: pytest.approx(values[name], rel=1e-5) for name in ("loss", "accuracy")}, "images": len(labels)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Twenty digits as files, of which three are damaged, and the arrays of the others."""
    images, labels = (array[:20] for array in arrays(catalog.load(recipe_file.load("digits").data).test))
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{number}.png" for number in range(20)]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(tf.io.encode_png(image).numpy())
    damaged = [0, 7, 19]
    for number in damaged:
        paths[number].write_bytes(b"\x89PNG\r\n damaged")
    good = np.setdiff1d(np.arange(20), damaged)
    return splits.FileSplit(paths, labels), images[good], labels[good]


@pytest.mark.parametrize("part", ["validation", "test"])
def test_equals_the_evaluation_of_keras_with_averaged_weights(trainer, part):
    split = getattr(trainer.task.dataset, part)
    with trainer.averages.in_place_of_weights():
        expected = keras_evaluate(trainer.model, *arrays(split))
    assert Evaluator(trainer, split).evaluate() == expected


def test_equals_the_evaluation_of_keras_with_the_weights_as_they_are(trainer):
    split = trainer.task.dataset.validation
    result = Evaluator(trainer, split, averaged=False).evaluate()
    assert result == keras_evaluate(trainer.model, *arrays(split))
    assert result != Evaluator(trainer, split).evaluate()


def test_unreadable_images_do_not_count(trainer, files):
    split, images, labels = files
    expected = keras_evaluate(trainer.model, images, labels)
    assert Evaluator(trainer, split, averaged=False).evaluate() == expected


def test_rows_that_fill_the_last_batch_do_not_count(trainer, monkeypatch):
    def nine_or_for_black_images_an_infinite_zero(images, training):
        black = tf.reduce_max(images, [1, 2]) == tf.reduce_min(images, [1, 2])
        return tf.where(black, tf.one_hot(0, 10, on_value=np.inf), tf.one_hot(9, 10))

    monkeypatch.setattr(trainer, "model", nine_or_for_black_images_an_infinite_zero)
    result = Evaluator(trainer, trainer.task.dataset.validation).evaluate()
    _, labels = arrays(trainer.task.dataset.validation)
    assert np.isfinite(result["loss"])
    assert result["accuracy"] == pytest.approx(np.mean(labels == 9))


def test_nothing_but_unreadable_images(trainer, tmp_path):
    (tmp_path / "0.png").write_bytes(b"damaged")
    split = splits.FileSplit([tmp_path / "0.png"] * 5, [0] * 5)
    with pytest.raises(UserError, match="none of 5 images of digits to evaluate could be read"):
        Evaluator(trainer, split).evaluate()


def test_a_signal_stops_it_and_the_weights_come_back(trainer):
    before = [weight.numpy() for weight in trainer.weights]
    trainer.stopping.assign(1.0)
    try:
        with pytest.raises(StoppedError, match="after step 0"):
            Evaluator(trainer, trainer.task.dataset.validation).evaluate()
    finally:
        trainer.stopping.assign(0.0)
    for weight, expected in zip(trainer.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected)


REPLICAS = """
import json, sys
import keras
import tensorflow as tf
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.training import strategy
from lambda_keras.zoo.training.evaluator import Evaluator
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.optimizers import build_optimizer
from lambda_keras.zoo.training.schedules import build_schedule
from lambda_keras.zoo.training.trainer import Trainer

devices = [tf.config.LogicalDeviceConfiguration()] * 3
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
recipe = recipe_file.load("digits", sys.argv[1:])
dataset = catalog.load(recipe.data)

def evaluate(distribution):
    with distribution.scope():
        initial = keras.initializers.RandomNormal(seed=0)
        head = keras.layers.Dense(10, kernel_initializer=initial)
        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), head])
        optimizer = build_optimizer(recipe.training, build_schedule(recipe.training, 10), model.trainable_variables)
    trainer = Trainer(model, optimizer, Classification(recipe, dataset), distribution, tf.Variable(0.0))
    figures = Evaluator(trainer, dataset.validation, averaged=False).evaluate()
    return {**figures, "replicas": distribution.num_replicas_in_sync}

print(json.dumps([evaluate(strategy.create(name)) for name in ("default", "mirrored")]))
"""


def test_replicas_share_the_images(run_python):
    # Of 135 images in batches of 32 the second step has 32 for the first replica, 7 for the second, none for the third.
    one, three = json.loads(run_python(REPLICAS, *SETTINGS, "training.batch_size=96"))
    assert (one.pop("replicas"), three.pop("replicas")) == (1, 3)
    assert three == pytest.approx(one, rel=1e-6)
