import csv

import keras
import numpy as np
import pytest
import yaml

import lambda_keras as lk
from zoo import recipe_file
from zoo.data import catalog, input_pipeline
from zoo.errors import UserError
from zoo.train import build_model, build_optimizer, train

QUICK = ["training.epochs=2", "training.warmup_epochs=0.5", "data.image_size=16", "data.validation_fraction=0.5"]


@pytest.fixture(scope="module")
def recipe():
    return recipe_file.load("digits", QUICK)


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "quick"
    accuracy = train(recipe, folder, verbose=0)
    return folder, accuracy


@pytest.fixture(scope="module")
def reloaded(run):
    return keras.models.load_model(run[0] / "model.keras", safe_mode=True)


def test_the_run_folder_is_complete_and_has_nothing_else(run):
    names = {file.name for file in run[0].iterdir()}
    assert names == {"recipe.yaml", "metrics.csv", "model.keras", "test.npz", "curves.png", "predictions.png"}


def test_the_recipe_is_the_resolved_one(run, recipe):
    assert yaml.safe_load((run[0] / "recipe.yaml").read_text()) == recipe.model_dump()


def test_the_last_row_of_the_metrics_is_what_the_saved_model_reaches(run, recipe, reloaded):
    rows = list(csv.DictReader((run[0] / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[-1]["learning_rate"]) == pytest.approx(0, abs=1e-9)
    dataset = catalog.find("digits")
    batches = input_pipeline.evaluation_batches(
        dataset.load(0.5).validation, dataset, image_size=16, batch_size=recipe.training.batch_size
    )
    smoothing = recipe.training.label_smoothing
    reloaded.compile(loss=keras.losses.CategoricalCrossentropy(label_smoothing=smoothing), metrics=["accuracy"])
    loss, accuracy = reloaded.evaluate(batches, verbose=0)
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


def test_the_model_is_saved_without_the_state_of_the_training(run):
    assert not keras.models.load_model(run[0] / "model.keras").compiled


def test_weight_decay_leaves_out_biases_batch_norm_and_position_tables(recipe):
    model = build_model(recipe, catalog.find("digits"))
    optimizer = build_optimizer(recipe.training, 10, model.trainable_variables)
    optimizer.build(model.trainable_variables)
    decayed = {v.path.rsplit("/", 1)[1] for v in model.trainable_variables if optimizer._use_weight_decay(v)}
    left_out = {v.path.rsplit("/", 1)[1] for v in model.trainable_variables if not optimizer._use_weight_decay(v)}
    assert decayed == {"kernel"}
    assert left_out == {"bias", "gamma", "beta", "table"}


@pytest.mark.parametrize(
    ("optimizer", "expected", "nesterov"),
    [
        ("momentum", keras.optimizers.SGD, False),
        ("nesterov", keras.optimizers.SGD, True),
        ("adamw", keras.optimizers.AdamW, None),
    ],
)
def test_optimizers_by_name(optimizer, expected, nesterov):
    training = recipe_file.load("digits", [f"training.optimizer={optimizer}"]).training
    built = build_optimizer(training, 10, [])
    assert type(built) is expected
    assert built.weight_decay == training.weight_decay
    if nesterov is not None:
        assert (built.momentum, built.nesterov) == (0.9, nesterov)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.name=lambda_resnet_tny", "lambda_resnet_tiny"),
        ("model.overrides.key_dm=3", "key_dim"),
        ("model.overrides.scope_size=4", "scope_size"),
        ("training.batch_size=5000", "batch_size 5000 is more than the 1212 training images"),
    ],
)
def test_a_recipe_that_does_not_fit(override, expected, tmp_path):
    with pytest.raises(UserError, match=expected):
        train(recipe_file.load("digits", [override]), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_digits_recipe_reaches_97_percent_on_the_test_split(tmp_path):
    assert train(recipe_file.load("digits"), tmp_path, verbose=2) >= 0.97
