import pathlib
import subprocess

import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.splits import ArraySplit, Dataset
from lambda_keras.zoo.errors import NonFiniteLossError, UserError
from lambda_keras.zoo.training import assemble
from lambda_keras.zoo.training.classification import class_weights
from lambda_keras.zoo.training.co_training import task_of
from lambda_keras.zoo.training.preemption import StopFlag
from lambda_keras.zoo.training.sums import Sums
from lambda_keras.zoo.training.trainer import images_per_pass
from tests.zoo import pseudo_shards
from tests.zoo.training.train_some_steps import SETTINGS, STEPS
from tests.zoo.training.workers import run_workers

SCRIPT = pathlib.Path(__file__).with_name("train_some_steps.py")
QUICK = [
    "data.image_size=16",
    "training.batch_size=16",
    "training.warmup_epochs=0",
    "model.overrides.blocks=[0,0,0,1]",
    "model.overrides.lambda_blocks=[[],[],[],[1]]",
]


def make_trainer(*overrides, strategy=None):
    recipe = recipe_file.load("digits", [*QUICK, *overrides])
    dataset = catalog.load(recipe.data)
    trainer = assemble.build_trainer(
        task_of(recipe, dataset), strategy or tf.distribute.get_strategy(), StopFlag().raised
    )
    trainer.train_dataset = trainer.stream(0)
    return trainer


def flat(tensors):
    return np.concatenate([tensor.numpy().ravel() for tensor in tensors])


@pytest.fixture(scope="module")
def one_device(warm_python, tmp_path_factory):
    return run_steps(warm_python, "default", SETTINGS, tmp_path_factory)


def run_steps(python, strategy, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp(strategy) / "worker0.npz"
    if strategy == "multi_worker":
        run_workers(python, SCRIPT, strategy, out.with_name("worker{index}.npz"), *settings)
    else:
        subprocess.run([*python, SCRIPT, strategy, out, *settings], check=True)
    with np.load(out) as arrays:
        return dict(arrays)


@pytest.mark.slow
# What differs between workers and the replicas of one is how they sum; one setting has every sum.
@pytest.mark.parametrize(("strategy", "settings"), [("mirrored", list(SETTINGS)), ("multi_worker", ["lamb"])])
def test_two_replicas_equal_one_device_loss_by_loss(strategy, settings, one_device, warm_python, tmp_path_factory):
    two = run_steps(warm_python, strategy, settings, tmp_path_factory)
    for setting in settings:
        assert two[f"{setting}/step"] == one_device[f"{setting}/step"] == STEPS
        # Half precision rounds the activations, and each replica's gradient before the sum.
        tolerance = 1e-3 if setting == "float16" else 1e-6
        losses = two[f"{setting}/losses"]
        np.testing.assert_allclose(losses, one_device[f"{setting}/losses"], rtol=tolerance, err_msg=setting)
        # Single gradients may cancel to nothing, so the weights are compared as a vector. Activations behind lambda
        # layers are large and square what rounding leaves of a difference.
        for key, tolerance in {"weights": 1e-5, "averages": 1e-5, "statistics": 1e-4}.items():
            expected = one_device[f"{setting}/{key}"]
            error = np.linalg.norm(two[f"{setting}/{key}"] - expected) / np.linalg.norm(expected)
            assert error < (1e-2 if setting == "float16" else tolerance), (setting, key)


def test_class_weights_make_all_classes_count_alike():
    trainer = make_trainer("training.class_weights=true")
    counts = trainer.task.dataset.train.images_of_classes(10)
    weights = class_weights(trainer.task.dataset).numpy()
    np.testing.assert_allclose(weights * counts, counts.sum() / 10, rtol=1e-6)
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
    # The gradient of a batch of one class is that without weights, times the weight.
    batch = {
        "image": np.zeros((16, 16, 16, 1), "uint8"),
        "target": np.eye(10, dtype="float32")[[3] * 16],
        "valid": np.ones(16, bool),
    }
    weighted, sums = trainer.gradients(batch)
    trainer.task._class_weights = None
    plain, plain_sums = trainer.gradients(batch)
    np.testing.assert_allclose(flat(weighted), flat(plain) * weights[3], rtol=1e-3, atol=1e-5)
    assert sums.loss == plain_sums.loss


def test_a_class_without_training_images_has_no_weight():
    part = ArraySplit(np.zeros((4, 1, 1, 1), "uint8"), [0, 0, 0, 2])
    dataset = Dataset("x", ("a", "b", "c"), 1, (0.5,), (0.2,), part, part, part)
    np.testing.assert_allclose(class_weights(dataset), [4 / 2 / 3, 0, 4 / 2])


def test_clipping_is_of_the_whole_gradient():
    trainer = make_trainer("training.optimizer=momentum", "training.momentum=0", "training.gradient_clipping=0.01")
    before = flat(trainer.weights)
    trainer.train(tf.constant(1))
    step = (flat(trainer.weights) - before) / -trainer.training.learning_rate
    assert np.linalg.norm(step) == pytest.approx(0.01, rel=1e-3)


def test_accumulated_passes_are_one_batch(monkeypatch):
    # With its moving statistics BatchNorm does not tie the images of a pass together.
    call = lk.layers.BatchNormalization.call
    monkeypatch.setattr(lk.layers.BatchNormalization, "call", lambda self, x, **_: call(self, x, training=False))

    def update(*overrides):
        trainer = make_trainer("training.optimizer=momentum", *overrides)
        before = flat(trainer.weights)
        trainer.train(tf.constant(1))
        return flat(trainer.weights) - before

    np.testing.assert_allclose(update("training.gradient_accumulation=4"), update(), atol=1e-6)


def test_blocks_that_are_computed_again_give_the_same_gradients():
    images = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 1), "uint8")
    batch = {"image": images, "target": np.eye(10, dtype="float32")[[3] * 16], "valid": np.ones(16, bool)}
    plain, remat = (
        make_trainer(f"model.overrides.remat={remat}", "model.overrides.stochastic_depth_rate=0.5").gradients(batch)[0]
        for remat in ("null", "blocks")
    )
    np.testing.assert_allclose(flat(remat), flat(plain), atol=1e-6)


def test_a_stream_of_unknown_length_counts_steps_and_means_rightly():
    trainer = make_trainer()
    known = trainer.train(tf.constant(3))
    other = make_trainer()
    stream = other.train_dataset.filter(lambda batch: True)
    assert stream.cardinality() == tf.data.UNKNOWN_CARDINALITY
    other.train_dataset = stream
    assert other.train(tf.constant(3)) == known
    assert other.optimizer.iterations.numpy() == trainer.optimizer.iterations.numpy() == 3
    np.testing.assert_array_equal(flat(other.weights), flat(trainer.weights))


def test_unreadable_images_are_counted():
    trainer = make_trainer()

    def spoil(batch):
        return {**batch, "valid": tf.range(16) > 2}

    trainer.train_dataset = trainer.train_dataset.map(spoil)
    trainer.train(tf.constant(2))
    sums = Sums.of(trainer.sums.numpy())
    assert (sums.images, sums.unreadable) == (32, 6)


def test_nothing_but_unreadable_images_ends_the_loop():
    trainer = make_trainer()
    trainer.train_dataset = trainer.train_dataset.map(lambda batch: {**batch, "valid": tf.zeros(16, tf.bool)})
    with pytest.raises(UserError, match="none of the 32 training images up to step 2 could be read"):
        trainer.train(tf.constant(2))


def test_a_loss_that_is_not_finite_ends_the_loop_at_its_step():
    trainer = make_trainer("training.optimizer=momentum", "training.learning_rate=100")
    trainer.weights[-1].assign(trainer.weights[-1] * np.nan)
    with pytest.raises(NonFiniteLossError, match=r"not finite at step 1 \(learning rate 100\)"):
        trainer.train(tf.constant(5))


def test_a_batch_that_cannot_be_shared_equally():
    training = recipe_file.load("digits", ["training.gradient_accumulation=3"]).training
    with pytest.raises(UserError, match=r"batch_size 32 must be a multiple of 6, the replicas \(2\) times"):
        images_per_pass(training, replicas=2)


RANDOM = [
    "data.mixup=0.2",
    "data.cutmix=1",
    "model.overrides.dropout_rate=0.2",
    "model.overrides.stochastic_depth_rate=0.2",
]


@pytest.mark.parametrize(
    ("precision", "random"),
    [("float32", []), pytest.param("mixed_bfloat16", RANDOM, marks=pytest.mark.slow)],
)
def test_the_whole_step_compiles_with_xla_without_calling_the_host(precision, random, tmp_path):
    overrides = [f"training.precision={precision}", "training.ema_decay=0.9", "training.gradient_clipping=1", *random]
    folder, _ = pseudo_shards.write(tmp_path)
    overrides.append(f"data.pseudo={{folder: {folder}, share: 0.75}}")
    trainer = make_trainer("training.xla=true", *overrides)
    batch = next(iter(trainer.train_dataset))
    program = trainer._train_on_replica.experimental_get_compiler_ir(batch, tf.constant(0.0))(stage="hlo")
    assert "convolution(" in program
    for host in ("infeed", "outfeed", "send(", "recv(", "callback"):
        assert host not in program
    loss = trainer.train(tf.constant(1))["loss"]
    if random:  # XLA draws other random numbers for the same seed.
        assert np.isfinite(loss)
    else:
        assert loss == pytest.approx(make_trainer(*overrides).train(tf.constant(1))["loss"], rel=1e-5)
