"""A detector in the training loop: the same on two devices as on one, without a state that no checkpoint has."""

import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.detection.model import STAGES, network_of, parts_of
from lambda_keras.zoo.detection.task import task_of
from lambda_keras.zoo.training import assemble
from lambda_keras.zoo.training.averages import batch_norms
from lambda_keras.zoo.training.checkpoints import Checkpoints
from tests.conftest import ROOT
from tests.zoo.detection.test_forward import STATEFUL_RANDOM
from tests.zoo.detection.training import load_parts, recipe, write_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the pictures. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder)
    return folder


def make_trainer(folder, *overrides):
    settings = recipe(*overrides)
    task = task_of(settings, load_parts(folder, settings.model.masks))
    trainer = assemble.build_trainer(task, tf.distribute.get_strategy(), tf.Variable(0.0))
    trainer.train_dataset = trainer.stream(0)
    return trainer


@pytest.fixture(scope="module")
def compiled(folder):
    """A trainer whose step is traced once for the tests of its graph, and compiled by XLA where it is run."""
    return make_trainer(folder, "training.xla=true")


@pytest.fixture(scope="module")
def batch(compiled):
    return next(iter(compiled.train_dataset))


@pytest.fixture(scope="module")
def steps(folder, warm_python, tmp_path_factory):
    """What `train_some_steps.py` has written, by kind."""
    out = tmp_path_factory.mktemp("steps") / "steps.npz"
    command = [*warm_python, "-m", "tests.zoo.detection.train_some_steps", folder, out]
    process = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-4000:]
    with np.load(out) as arrays:
        kinds = {kind: {} for kind in ("one", "two", "alone")}
        for key in arrays:
            kind, _, name = key.partition("/")
            kinds[kind][name] = arrays[key]
    return kinds


def difference(value, expected):
    return np.linalg.norm(value - expected) / max(np.linalg.norm(expected), 1e-6)


def vector(results, kind):
    """All variables of a kind, one after the other."""

    def is_of_kind(name):
        if name.startswith("model/"):
            return kind == ("statistics" if "/moving_" in name else "weights")
        return name.endswith({"momenta": "_momentum", "averages": "_average"}.get(kind, " "))

    return np.concatenate([results[name].ravel() for name in sorted(results) if is_of_kind(name)])


def wrong_variances(kind, steps):
    """The BatchNorm layers whose moving variance after a step is not that of one device."""
    names = [name for name in steps["one"] if name.startswith("variance/")]
    return [name for name in names if difference(steps[kind][name], steps["one"][name]) > 1e-5]


def test_two_devices_with_unequal_pictures_equal_one(steps):
    one, two = steps["one"], steps["two"]
    assert one.keys() == two.keys()
    np.testing.assert_allclose(two["losses"][:, 0], one["losses"][:, 0], rtol=1e-6)
    # Each of the losses, in relation to their sum.
    np.testing.assert_array_less(np.abs(two["losses"] - one["losses"]) / one["losses"][:, :1], 1e-6)
    assert wrong_variances("two", steps) == []
    for kind in ("weights", "statistics", "momenta", "averages"):
        assert difference(vector(two, kind), vector(one, kind)) < 1e-5, kind
    # A gradient that cancels is nothing but rounding, as those of biases in front of BatchNorm.
    for name in one:
        if name.startswith(("model/", "optimizer/")):
            rounding = 1e-5 * np.linalg.norm(one[name]) + 5e-9
            assert np.linalg.norm(two[name] - one[name]) <= rounding, name


def test_two_devices_find_what_one_finds(steps):
    one, two = steps["one"], steps["two"]
    figures = [name for name in one if name.startswith("figure/")]
    assert {name: two[name] for name in figures} == {name: one[name] for name in figures}
    assert one["figure/images"] == 3
    assert len(one["boxes"]) == 18
    np.testing.assert_allclose(two["boxes"], one["boxes"], rtol=1e-5, atol=1e-5)


def test_a_head_that_is_left_unsynchronised_is_found(steps):
    wrong = wrong_variances("alone", steps)
    assert wrong
    assert all("/mask_" in name for name in wrong)


def kinds_of(graph):
    definition = graph.as_graph_def()
    return {node.op for node in definition.node} | {
        node.op for function in definition.library.function for node in function.node_def
    }


def test_nothing_draws_from_a_state(compiled, batch):
    step = compiled._train_on_replica.get_concrete_function(batch, tf.constant(0.0))
    assert "StatelessRandomUniformIntV2" in kinds_of(step.graph)
    assert [kind for kind in kinds_of(step.graph) if kind.startswith(STATEFUL_RANDOM)] == []


def test_a_classifier_s_weights_are_what_the_backbone_starts_from(folder, tmp_path, capsys):
    overrides = recipe().model.overrides
    classifier = lk.create_model("lambda_resnet_tiny", input_shape=(64, 64, 3), classes=5, **overrides)
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    # Statistics of its own too.
    classifier(images, training=True)
    classifier.save(tmp_path / "classifier.keras")
    settings = recipe(f"model.weights={tmp_path}/classifier.keras")
    task = task_of(settings, load_parts(folder))
    trainer = assemble.build_trainer(task, tf.distribute.get_strategy(), tf.Variable(0.0), is_new=True)
    assert not trainer.start.random
    assert str(trainer.start) in capsys.readouterr().out
    names = [f"{stage}_block1_relu" for stage in STAGES]
    expected = keras.Model(classifier.input, [classifier.get_layer(name).output for name in names])(images)
    found = parts_of(trainer.model).backbone(images)
    for stage, value in zip(STAGES, expected, strict=True):
        np.testing.assert_array_equal(found[stage], value, err_msg=stage)
    # A resumed run takes its checkpoint's weights instead.
    assert assemble.build_trainer(task, tf.distribute.get_strategy(), tf.Variable(0.0)).start is None


def test_every_variable_is_in_the_checkpoint_by_a_path_of_its_own(folder, tmp_path):
    trainer = make_trainer(folder, "model.frozen_stages=c3")
    paths = [variable.path for variable in trainer.model.variables]
    assert len(set(paths)) == len(paths)
    Checkpoints(trainer, tmp_path, interval=1).save(1)
    reader = tf.train.load_checkpoint(tmp_path / "ckpt-1")
    saved = [name for name in reader.get_variable_to_shape_map() if name.split("/")[0] in SAVED]
    # States of seed generators are not used: draws follow from the step.
    states = [variable for variable in trainer.model.variables if variable.name == "seed_generator_state"]
    assert len(saved) == len(paths) - len(states) + len(trainer.optimizer.variables)


SAVED = ("weights", "frozen_weights", "statistics", "optimizer")


def test_frozen_stages_stay_and_half_precision_is_finite(folder):
    trainer = make_trainer(
        folder, "model.frozen_stages=c2", "training.frozen_batch_norm=true", "training.precision=mixed_bfloat16"
    )
    model = trainer.model
    before = {variable.path: variable.numpy() for variable in model.weights}
    means = trainer.train(tf.constant(2))
    assert all(np.isfinite(value) for value in means.values())
    frozen = {path for path in before if path.startswith(("stem", "c2"))}
    frozen |= {variable.path for layer in batch_norms(network_of(model)) for variable in layer.weights}
    trained = {variable.path for variable in model.trainable_variables}
    assert frozen
    assert frozen.isdisjoint(trained)
    for variable in model.weights:
        is_same = np.array_equal(variable.numpy(), before[variable.path])
        if variable.path in frozen:
            assert is_same, variable.path
        # The last BatchNorm of a block begins with zeros, behind which nothing has a gradient yet.
        elif variable.path.endswith("conv1/kernel") and not variable.path.startswith("c"):
            assert not is_same, variable.path


def test_xla_takes_the_whole_step_without_calling_the_host(compiled, batch):
    """What a compiled step computes is compared in test_forward.py, and the loop around it runs in test_trainer.py."""
    program = compiled._train_on_replica.experimental_get_compiler_ir(batch, tf.constant(0.0))(stage="hlo")
    assert "convolution(" in program
    for host in ("infeed", "outfeed", "send(", "recv(", "callback"):
        assert host not in program


def test_without_masks_there_are_neither_their_loss_nor_their_figures(folder):
    settings = recipe("model.masks=false")
    task = task_of(settings, load_parts(folder, with_masks=False))
    assert task.columns == (
        *("loss", "proposal_score", "proposal_box", "box_class", "box_regression"),
        *("val_box_ap", "val_box_ap50", "val_images"),
    )
    assert task.best_by == "val_box_ap"
    model = task.build_model()
    batch = next(iter(task.batches(batch_size=2, start=0, shard=0, num_shards=1)))
    _, sums = tf.function(lambda: task.loss(model, batch, tf.constant(0)), autograph=False)()
    means = task.means(sums)
    assert "mask" not in means
    assert np.isfinite(means["loss"])


def test_a_retinanet_is_trained_by_the_same_loop(folder):
    settings = recipe("model.architecture=retinanet", "model.masks=false")
    task = task_of(settings, load_parts(folder, with_masks=False))
    trainer = assemble.build_trainer(task, tf.distribute.get_strategy(), tf.Variable(0.0))
    trainer.train_dataset = trainer.stream(0)
    means = trainer.train(tf.constant(1))
    assert means["loss"] == pytest.approx(means["anchor_class"] + means["anchor_box"])
    assert np.isfinite(means["loss"])


def test_the_sampling_follows_the_position_in_the_stream(compiled):
    whole = [batch["position"].numpy().tolist() for batch in compiled.stream(0).take(3)]
    assert whole == [[0, 1], [2, 3], [4, 5]]
    assert next(iter(compiled.stream(2)))["position"].numpy().tolist() == [4, 5]
