import csv
import gzip
import os
import pathlib
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml

import lambda_keras as lk
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog, input_pipeline
from lambda_keras.zoo.errors import StoppedError, UserError
from lambda_keras.zoo.folder_lock import locked
from lambda_keras.zoo.models.record import Record
from lambda_keras.zoo.training import outputs
from lambda_keras.zoo.training.run import train
from tests.little_room import little_room

QUICK = [
    "training.epochs=2",
    "training.warmup_epochs=0.5",
    "training.batch_size=64",
    "training.ema_decay=0.5",
    "data.image_size=16",
    "data.validation_fraction=0.5",
    # A block with a convolution and two with lambda layers.
    "model.overrides.blocks=[1,0,1,1]",
    "model.overrides.lambda_blocks=[[],[],[1],[1]]",
]
# Where nothing depends on the network.
ONE_BLOCK = ["model.overrides.blocks=[0,0,0,1]", "model.overrides.lambda_blocks=[[],[],[],[1]]"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    start = tmp_path_factory.mktemp("start") / "start.weights.h5"
    recipe = recipe_file.load("digits", [*QUICK, f"model.weights={start}"])
    lk.create_model(recipe.model.name, input_shape=(16, 16, 1), **recipe.model.overrides).save_weights(start)
    return recipe


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    """A run that started from weights which are no longer there."""
    folder = tmp_path_factory.mktemp("runs") / "quick"
    accuracy = train(recipe, folder, verbose=False)
    pathlib.Path(recipe.model.weights).unlink()
    return folder, accuracy


@pytest.fixture(scope="module")
def reloaded(run):
    return keras.models.load_model(run[0] / "model.keras", safe_mode=True)


def contents(folder):
    """The bytes of each file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_run_folder_is_complete_and_has_nothing_else(run):
    names = {file.name for file in run[0].iterdir()}
    files = {"recipe.yaml", "metrics.csv", "model.keras", "record.json", "test.npz", "curves.png", "predictions.png"}
    assert names == files | {"start.txt", "checkpoints", "tensorboard"}


def test_only_a_new_run_needs_the_weights_to_start_from(run, recipe, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    assert train(recipe, folder, verbose=False) == run[1]
    with pytest.raises(UserError, match="No weights file at"):
        train(recipe, folder, overwrite=True, verbose=False)
    assert (folder / "model.keras").exists(), "nothing is removed for a run that cannot start"


def test_the_recipe_is_the_resolved_one(run, recipe):
    assert yaml.safe_load((run[0] / "recipe.yaml").read_text()) == recipe.model_dump()


def test_the_exported_weights_are_the_averaged_ones(run, reloaded):
    step = 2 * (674 // 64)
    reader = tf.train.load_checkpoint(run[0] / "checkpoints" / f"ckpt-{step}")
    shapes = reader.get_variable_to_shape_map()
    stored = [reader.get_tensor(name) for name in shapes if name.startswith("optimizer/")]
    raw = [reader.get_tensor(name) for name in shapes if name.startswith("weights/")]

    def among(value, tensors):
        return any(np.array_equal(value, tensor) for tensor in tensors)

    for variable in reloaded.trainable_variables:
        value = variable.numpy()
        assert among(value, stored), variable.path
        # A position table or gamma may not have moved at all.
        assert not among(value, raw) or among(value, raw) == among(value, stored), variable.path
    assert not among(reloaded.get_layer("predictions").kernel.numpy(), raw)


def test_the_last_row_of_the_metrics_is_what_the_saved_model_reaches(run, recipe, reloaded):
    rows = list(csv.DictReader((run[0] / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[-1]["learning_rate"]) == pytest.approx(0, abs=1e-9)
    dataset = catalog.load(recipe.data)
    batch = input_pipeline.evaluation_batches(
        dataset.validation, dataset, recipe.data, batch_size=dataset.validation.count
    ).get_single_element()
    images = lk.preprocess_input(batch["image"], mean=dataset.mean, std=dataset.std)
    smoothing = recipe.training.label_smoothing
    reloaded.compile(loss=keras.losses.CategoricalCrossentropy(label_smoothing=smoothing), metrics=["accuracy"])
    loss, accuracy = reloaded.evaluate(images, batch["target"], verbose=0)
    assert float(rows[-1]["val_loss"]) == pytest.approx(loss, rel=1e-4)
    assert float(rows[-1]["val_accuracy"]) == pytest.approx(accuracy, abs=1e-5)


def test_the_accuracy_is_that_of_the_saved_model_on_the_saved_test_split(run, reloaded):
    folder, accuracy = run
    with np.load(folder / "test.npz", allow_pickle=False) as test:
        assert test["images"].shape == (450, 16, 16, 1)
        assert test["images"].dtype == np.uint8
        assert test["labels"].dtype == np.int64
        assert test["class_names"].tolist() == list("0123456789")
        inputs = lk.preprocess_input(test["images"], mean=test["mean"], std=test["std"])
        predictions = reloaded.predict(inputs, verbose=0).argmax(axis=-1)
        assert (predictions == test["labels"]).mean() == pytest.approx(accuracy)


def test_the_record_says_how_the_model_wants_its_images(run, recipe):
    record = Record.read(run[0] / "record.json")
    assert (record.preprocessor.image_size, record.preprocessor.channels, record.dataset) == (16, 1, "digits")


def test_the_model_is_saved_without_the_state_of_the_training(run):
    assert not keras.models.load_model(run[0] / "model.keras").compiled


def test_tensorboard_gets_scalars_of_both_splits_and_images_of_the_position_tables(run):
    def tags(name):
        (file,) = (run[0] / "tensorboard" / name).iterdir()
        events = tf.compat.v1.train.summary_iterator(str(file))
        return {value.tag for event in events for value in event.summary.value}

    assert {"loss", "accuracy", "learning_rate", "steps_per_second"} <= tags("training")
    assert {"loss", "accuracy"} <= tags("validation")
    assert len(tags("position_tables")) == 2


def test_a_folder_with_another_recipe_is_refused_and_stays(run, recipe, tmp_path):
    start = [f"model.weights={recipe.model.weights}"]
    before = (run[0] / "metrics.csv").read_bytes()
    with pytest.raises(UserError, match=r"other settings \(training.epochs 2 there, 3 here\).*--overwrite"):
        train(recipe_file.load("digits", [*QUICK, *start, "training.epochs=3"]), run[0], verbose=False)
    assert (run[0] / "metrics.csv").read_bytes() == before


def test_a_second_training_into_the_folder_is_refused(run, recipe):
    with locked(run[0]), pytest.raises(UserError, match=r"another training \(process \d+ on .*--out"):
        train(recipe, run[0], verbose=False)


def test_a_signal_while_the_last_files_are_written_is_not_lost(run, recipe, tmp_path, monkeypatch):
    folder = shutil.copytree(run[0], tmp_path / "run")
    for name in ("model.keras", "curves.png"):
        (folder / name).unlink()
    write_model = outputs.write_model

    def terminate(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        write_model(*arguments)

    monkeypatch.setattr(outputs, "write_model", terminate)
    with pytest.raises(StoppedError, match="after the last step; the same command resumes it"):
        train(recipe, folder, verbose=False)
    # It ends what it is at and begins nothing more.
    assert (folder / "model.keras").exists()
    assert not (folder / "curves.png").exists()


def test_a_full_disk_at_the_end_is_one_line_and_leaves_the_files_that_were_there(run, recipe, tmp_path, monkeypatch):
    folder = shutil.copytree(run[0], tmp_path / "run")
    before = {path.name for path in folder.iterdir()}
    write_model = outputs.write_model

    def fill(*arguments):
        with little_room():
            write_model(*arguments)

    monkeypatch.setattr(outputs, "write_model", fill)
    with pytest.raises(UserError, match=r"cannot write to .*run: File too large; make room there and run the same"):
        train(recipe, folder, verbose=False)
    assert {path.name for path in folder.iterdir()} == before
    assert keras.models.load_model(folder / "model.keras")


def test_events_that_cannot_be_written_are_one_line_and_leave_the_files_that_were_there(run, recipe, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    # The second epoch is to be done again.
    for file in (folder / "checkpoints").glob("ckpt-20.*"):
        file.unlink()
    shutil.rmtree(folder / "tensorboard" / "training")
    (folder / "tensorboard" / "training").write_text("in the way")
    before = contents(folder)
    with pytest.raises(UserError, match=r"cannot write to .*tensorboard/training: [^{]*; make room there and run"):
        train(recipe, folder, verbose=False)
    assert contents(folder) == before


def test_early_stopping_keeps_the_best_weights(tmp_path):
    # A learning rate that grows until it spoils the model.
    overrides = [*QUICK, *ONE_BLOCK, "training.epochs=8", "training.warmup_epochs=7.9", "training.learning_rate=3"]
    overrides += ["training.early_stopping_epochs=1", "training.optimizer=momentum", "training.weight_decay=0"]
    recipe = recipe_file.load("digits", overrides)
    train(recipe, tmp_path, verbose=False)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    accuracies = [float(row["val_accuracy"]) for row in rows]
    assert len(rows) < 8
    assert accuracies[-1] <= max(accuracies) == accuracies[-2]
    model = keras.models.load_model(tmp_path / "model.keras")
    dataset = catalog.load(recipe.data)
    batch = input_pipeline.evaluation_batches(
        dataset.validation, dataset, recipe.data, batch_size=dataset.validation.count
    ).get_single_element()
    images = lk.preprocess_input(batch["image"], mean=dataset.mean, std=dataset.std)
    accuracy = (model.predict(images, verbose=0).argmax(-1) == input_pipeline.labels(batch["target"]).numpy()).mean()
    assert accuracy == pytest.approx(accuracies[-2], abs=1e-5)


def test_a_loss_that_is_not_finite_names_step_rate_and_last_good_checkpoint(tmp_path):
    overrides = [*QUICK, *ONE_BLOCK, "training.optimizer=momentum", "training.learning_rate=100"]
    overrides += ["training.checkpoint_steps=1", "training.weight_decay=1", "training.steps_per_loop=1"]
    with pytest.raises(
        UserError, match=r"not finite at step \d+ \(learning rate .*the last good checkpoint is .*ckpt-"
    ):
        train(recipe_file.load("digits", overrides), tmp_path, verbose=False)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.name=lambda_resnet_tny", "lambda_resnet_tiny"),
        ("model.overrides.key_dm=3", "key_dim"),
        ("model.overrides.scope_size=4", "scope_size"),
        ("training.batch_size=5000", "batch_size 5000 is more than the 1212 training images"),
        ("training.gradient_accumulation=5", "batch_size 32 must be a multiple of 5"),
    ],
)
def test_a_recipe_that_does_not_fit(override, expected, tmp_path):
    with pytest.raises(UserError, match=expected):
        train(recipe_file.load("digits", [override]), tmp_path / "run", verbose=False)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def tenth_of_fashion_mnist(fashion_mnist_folder, tmp_path):
    """The first 6,000 of the 60,000 training images, and the first 1,000 of the test images, in idx files."""
    for part, count in (("train", 6_000), ("t10k", 1_000)):
        for kind, header, size in (("images-idx3", 16, 28 * 28), ("labels-idx1", 8, 1)):
            name = f"{part}-{kind}-ubyte"
            whole = gzip.decompress((fashion_mnist_folder / f"{name}.gz").read_bytes())
            # The second four bytes are the number of images.
            start = whole[:4] + count.to_bytes(4, "big") + whole[8:header]
            (tmp_path / name).write_bytes(start + whole[header : header + count * size])
    return tmp_path


@pytest.mark.slow
def test_the_fashion_mnist_recipe_reaches_65_percent_in_an_epoch_of_a_tenth_of_the_images(
    tenth_of_fashion_mnist, tmp_path
):
    shorter = ("epochs=1", "warmup_epochs=0.2", "batch_size=32", "learning_rate=0.003")
    recipe = recipe_file.load("fashion_mnist", [f"training.{setting}" for setting in shorter])
    assert train(recipe, tmp_path / "run", tenth_of_fashion_mnist) >= 0.65
