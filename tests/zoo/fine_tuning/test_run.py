import csv
import html
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml

import lambda_keras as lk
from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.sources import digits, image_table
from lambda_keras.zoo.errors import StoppedError, UserError
from lambda_keras.zoo.evaluation.run import evaluate
from lambda_keras.zoo.fine_tuning import results
from lambda_keras.zoo.fine_tuning.run import fine_tune
from lambda_keras.zoo.fine_tuning.settings import Settings
from lambda_keras.zoo.folder_lock import locked
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.image_file import read_image
from lambda_keras.zoo.models.model_source import find
from lambda_keras.zoo.models.record import Record
from lambda_keras.zoo.training import assemble, outputs
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.epochs import Epochs
from lambda_keras.zoo.training.trainer import Trainer
from tests.conftest import ROOT
from tests.zoo.conftest import share

CLASSES = 4
# Behind the stem a block with a lambda layer: more would be traced, not proved.
NETWORK = {"blocks": [0, 0, 0, 1], "lambda_blocks": [[], [], [], [1]]}
OVERRIDES = (
    *(f"model.overrides.{key}={json.dumps(value)}" for key, value in NETWORK.items()),
    "data.image_size=16",
    "data.horizontal_flip=false",
    "training.steps_per_loop=1",
)
# Of the second phase, 6 an epoch.
STEPS = 12
SCRIPT = ROOT / "tests" / "zoo" / "training" / "train_and_die.py"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of 16 digits of each of 4 classes, and one broken file."""
    folder = tmp_path_factory.mktemp("pictures")
    images, labels = digits.load_arrays()
    for label in range(CLASSES):
        (folder / f"digit {label}").mkdir()
        for number, image in enumerate(images[labels == label][:16]):
            encoded = tf.io.encode_png(image).numpy()
            (folder / f"digit {label}" / f"{number}.png").write_bytes(encoded)
    (folder / "digit 0" / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def model():
    return lk.create_model("lambda_resnet_tiny", input_shape=(16, 16, 1), classes=10, **NETWORK)


@pytest.fixture(scope="module")
def shared(model, tmp_path_factory):
    """The weights to start from, in a folder of `save_pretrained`."""
    return share(model, tmp_path_factory)


def settings(pictures, shared, out, **changes):
    values = {"epochs": 2, "head_epochs": 1, "class_weights": True, "overrides": OVERRIDES, **changes}
    return Settings(str(pictures), "lambda_resnet_tiny", str(out), weights=str(shared), **values)


@pytest.fixture(scope="module")
def run(pictures, shared, tmp_path_factory):
    """A fine-tuning in two phases: its folder and the figures that it returns."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, fine_tune(settings(pictures, shared, out))


def rows(path):
    return list(csv.DictReader(path.open(encoding="utf-8")))


def weights(path):
    return keras.models.load_model(path).get_weights()


def test_the_folder_has_all_that_is_promised(run):
    names = {path.name for path in run[0].iterdir()}
    promised = {"model.keras", "record.json", "report.html", "labels.txt", "predictions.csv", "images.csv"}
    trained = {"recipe.yaml", "metrics.csv", "test.npz", "curves.png", "predictions.png", "start.txt"}
    assert names == promised | trained | {"left_out.csv", "best.weights.h5", "head", "checkpoints", "tensorboard"}
    assert (run[0] / "labels.txt").read_text() == "".join(f"digit {label}\n" for label in range(CLASSES))
    assert [row["reason"] for row in rows(run[0] / "left_out.csv")] == [
        "damaged, or not a JPEG, PNG, BMP, GIF or WebP file"
    ]


def test_every_image_is_in_one_part(run, pictures):
    table = image_table.read(run[0] / "images.csv")
    assert {row.path for row in table} == set(pictures.glob("*/*.png")) - {pictures / "digit 0" / "broken.png"}
    parts = [row.split for row in table if row.label == "digit 2"]
    assert [parts.count(part) for part in ("train", "validation", "test")] == [12, 2, 2]


def test_images_are_read_and_normalised_as_the_start_wants_them(run):
    record = Record.read(run[0] / "record.json")
    assert (
        record.preprocessor.channels,
        record.preprocessor.mean,
        record.preprocessor.std,
        record.preprocessor.image_size,
    ) == (1, (0.305,), (0.376,), 16)


def test_the_first_phase_moves_the_classifier_alone(run, model):
    head = keras.models.load_model(run[0] / "head" / "model.keras")
    for variable, start in zip(head.weights, model.weights, strict=True):
        if not variable.path.startswith("predictions"):
            np.testing.assert_array_equal(variable, start, err_msg=variable.path)
    assert head.output_shape == (None, CLASSES)
    assert len(rows(run[0] / "head" / "metrics.csv")) == 1


def test_the_second_phase_moves_all_but_batch_norm(run):
    head = keras.models.load_model(run[0] / "head" / "model.keras")
    tuned = keras.models.load_model(run[0] / "model.keras")
    moved = {
        tuned_variable.name
        for variable, tuned_variable in zip(head.weights, tuned.weights, strict=True)
        if not np.array_equal(variable, tuned_variable)
    }
    assert {"kernel", "bias"} <= moved <= {"kernel", "bias", "table"}


def test_evaluate_finds_the_images_again(run, tmp_path, capsys):
    assert main(["evaluate", str(run[0]), "--out", str(tmp_path)]) == 0
    assert f"test: {len(rows(run[0] / 'predictions.csv'))} images" in capsys.readouterr().out
    assert json.loads((tmp_path / "evaluation.json").read_text())["top_1"] == pytest.approx(run[1].top_1)


def test_the_predictions_are_those_of_the_saved_model(run):
    table = rows(run[0] / "predictions.csv")
    classifier = Classifier(find(run[0]))
    images = np.stack([read_image(row["image"], classifier.record.preprocessor) for row in table])
    names = classifier.record.class_names
    expected = classifier.probabilities(images)
    assert [row["predicted"] for row in table] == [names[label] for label in expected.argmax(-1)]
    np.testing.assert_allclose([float(row["probability"]) for row in table], expected.max(-1), atol=1e-5)
    assert [row["label"] for row in table] == [pathlib.Path(row["image"]).parent.name for row in table]
    right = np.mean([row["label"] == row["predicted"] for row in table])
    assert run[1].top_1 == pytest.approx(right)


def test_evaluate_takes_the_same_test_images(run, tmp_path):
    result = evaluate(run[0], run[0] / "images.csv", out=tmp_path)
    assert (result.images, result.top_1) == (run[1].images, run[1].top_1)


def test_the_report_says_start_and_command(run, shared, pictures):
    text = (run[0] / "report.html").read_text(encoding="utf-8")
    assert f"The training started from the weights {shared}, but for the classifier, which is random: theirs is" in text
    assert "stays random" in text
    command = f"lambda-zoo fine-tune --data {pictures} --model lambda_resnet_tiny --weights {shared} --head-epochs 1"
    command += f" --epochs 2 --seed 0 --out {run[0]} --class-weights {shlex.join(OVERRIDES)}"
    assert html.escape(command) in text
    assert "left out: 1 (damaged" in text


def test_the_model_loads_with_the_library_alone(run, run_python):
    script = (
        "import sys, lambda_keras, keras; print(keras.models.load_model(sys.argv[1]).output_shape); "
        "assert not {'lambda_keras.zoo', 'lambda_keras.export'} & set(sys.modules)"
    )
    assert run_python(script, run[0] / "model.keras", cold=True).split() == ["(None,", "4)"]


@pytest.mark.slow
def test_a_run_that_is_stopped_and_killed_goes_on_and_ends_the_same(
    run, pictures, shared, tmp_path, monkeypatch, warm_python
):
    finish = Trainer.train_loop_end

    def terminate(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return finish(self)

    same = settings(pictures, shared, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_loop_end", terminate)
        with pytest.raises(StoppedError):
            fine_tune(same)
    assert not (tmp_path / "run" / "head" / "model.keras").exists()

    # The first phase has fewer steps than that.
    words = [*warm_python, SCRIPT, f"{STEPS - 1}=SIGKILL", tmp_path / "killed", "fine-tune", "--data", pictures]
    words += ["--model", "lambda_resnet_tiny", "--weights", shared, "--out", tmp_path / "run"]
    words += ["--epochs", 2, "--head-epochs", 1, "--class-weights", *OVERRIDES]
    killed = subprocess.run(list(map(str, words)), cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(rows(tmp_path / "run" / "metrics.csv")) == 1

    fine_tune(same)
    for expected, value in zip(weights(run[0] / "model.keras"), weights(tmp_path / "run" / "model.keras"), strict=True):
        np.testing.assert_array_equal(value, expected)
    assert (tmp_path / "run" / "predictions.csv").read_text() == (run[0] / "predictions.csv").read_text()


def test_a_run_on_other_images_or_settings_is_refused(run, pictures, shared, tmp_path):
    before = (run[0] / "images.csv").read_bytes()
    shutil.copytree(pictures, tmp_path / "others")
    with pytest.raises(UserError, match="holds a run on other images"):
        fine_tune(settings(tmp_path / "others", shared, run[0]))
    with pytest.raises(UserError, match=r"other settings \(training.epochs 2 there, 3 here"):
        fine_tune(settings(pictures, shared, run[0], epochs=3))
    assert (run[0] / "images.csv").read_bytes() == before


@pytest.fixture
def untrained(monkeypatch):
    """Runs without training: what would be trained, in order."""
    trained = []

    def train_phase(recipe, out, dataset, stop, verbose, is_last=True):
        assert dataset.mean == (recipe.data.mean or dataset.mean)
        trained.append((recipe, pathlib.Path(out)))
        raise StoppedError(0)

    monkeypatch.setattr("lambda_keras.zoo.fine_tuning.run.train_phase", train_phase)
    return trained


def test_a_budget_sets_the_epochs_once(pictures, shared, tmp_path, untrained, monkeypatch):
    speeds = iter([(0.5, 0)])
    monkeypatch.setattr("lambda_keras.zoo.fine_tuning.run.time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr("lambda_keras.zoo.fine_tuning.run.speed.measure", lambda *arguments: next(speeds))
    asked = settings(pictures, shared, tmp_path / "run", epochs=None, head_epochs=None, budget=10)
    for _ in range(2):
        # Measured the first time; a resumed run keeps what was found then.
        with pytest.raises(StoppedError):
            fine_tune(asked)
    (first, folder), (second, _) = untrained
    assert first == second
    assert folder == tmp_path / "run" / "head"
    whole = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["training"]
    assert first.training.epochs == 1
    # Of 540 s, 4 epochs of 48 images take 384, one of the head 32, five validations of 8 images 27, the test split 16.
    assert whole["epochs"] == 4
    assert f" --epochs 4 --seed 0 --out {tmp_path}/run --class-weights {shlex.join(OVERRIDES)}" in asked.command(4)


def test_other_settings_leave_a_first_phase_that_has_begun_as_it_is(pictures, shared, tmp_path, untrained):
    with pytest.raises(StoppedError):
        fine_tune(settings(pictures, shared, tmp_path))
    ((recipe, head),) = untrained
    run_folder.start(head, recipe)
    (head / run_folder.CHECKPOINTS).mkdir()
    before = (tmp_path / run_folder.RECIPE).read_text()
    with pytest.raises(UserError, match="head holds a run with other settings"):
        fine_tune(settings(pictures, shared, tmp_path, head_epochs=2))
    assert (tmp_path / run_folder.RECIPE).read_text() == before


def test_a_dataset_by_name_from_random_weights_has_one_phase(tmp_path, untrained, capsys, monkeypatch):
    loaded, load = [], catalog._load
    monkeypatch.setattr(catalog, "_load", lambda data, data_dir: loaded.append(data.name) or load(data, data_dir))
    asked = Settings("digits", "lambda_resnet_tiny", str(tmp_path / "run"), weights="none", epochs=1)
    with pytest.raises(StoppedError):
        fine_tune(asked)
    ((recipe, folder),) = untrained
    assert folder == tmp_path / "run"
    assert loaded == ["digits"]
    assert (recipe.data.name, recipe.data.mean, recipe.model.weights) == ("digits", None, None)
    out = capsys.readouterr().out
    assert "start: random weights" in out
    assert ["all", "10", "classes", "1,212", "135", "450"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize("head_epochs", [1, 0])
@pytest.mark.parametrize(("weights", "keeps"), [("fashion_mnist", False), ("digits", True)])
def test_as_many_classes_keep_the_classifier_only_if_they_are_the_same(
    weights, keeps, head_epochs, tmp_path, untrained, capsys
):
    out = str(tmp_path / "run")
    asked = Settings("digits", "lambda_resnet_tiny", out, weights=weights, epochs=1, head_epochs=head_epochs)
    # The second time it resumes.
    for _ in range(2):
        with pytest.raises(StoppedError):
            fine_tune(asked)
    assert ("but for the classifier, which is random" in capsys.readouterr().out) != keeps
    (first, _), (second, _) = untrained
    assert first == second
    dataset = catalog.load(first.data)
    model = assemble.build_trainer(
        Classification(first, dataset), tf.distribute.get_strategy(), tf.Variable(0.0), is_new=True
    ).model
    start = lk.create_model("lambda_resnet_tiny", input_shape=(32, 32, 1), classes=10, weights=weights)
    pairs = zip(model.weights, start.weights, strict=True)
    same = {variable.path for variable, other in pairs if np.array_equal(variable, other)}
    assert ("predictions/kernel" in same) == keeps
    assert {variable.path for variable in start.weights if not variable.path.startswith("predictions")} <= same


def test_overwrite_starts_anew(pictures, shared, tmp_path, untrained):
    for folder in ("run", "run/head"):
        run_folder.start(tmp_path / folder, recipe_file.load("digits"))
    for file in ("head/model.keras", "model.keras", "mine.txt"):
        (tmp_path / "run" / file).touch()
    with pytest.raises(StoppedError):
        fine_tune(settings(pictures, shared, tmp_path / "run", overwrite=True))
    assert untrained[0][1] == tmp_path / "run" / "head"
    assert not (tmp_path / "run" / "model.keras").exists()
    assert not (tmp_path / "run" / "head" / "model.keras").exists()
    assert (tmp_path / "run" / "mine.txt").exists()


@pytest.mark.parametrize("name", ["model.keras", "head/model.keras"])
def test_overwrite_leaves_what_is_no_run(pictures, shared, tmp_path, untrained, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"holds model\.keras, but no run"):
        fine_tune(settings(pictures, shared, tmp_path, overwrite=True))
    assert (tmp_path / name).exists()


def test_the_file_of_the_data_is_not_replaced(pictures, shared, tmp_path, untrained):
    table = tmp_path / image_table.FILE_IN_RUN
    rows = [f"{path},{path.parent.name}\n" for path in sorted(pictures.glob("*/?.png"))]
    table.write_text("path,label\n" + "".join(rows))
    with pytest.raises(UserError, match="a run there would replace the file of --data"):
        fine_tune(settings(table, shared, tmp_path))
    assert table.read_text() == "path,label\n" + "".join(rows)


def test_another_fine_tuning_into_the_folder_is_refused(pictures, shared, tmp_path, untrained):
    with locked(tmp_path), pytest.raises(UserError, match=r"another training \(process \d+ on .*--out"):
        fine_tune(settings(pictures, shared, tmp_path))
    assert not untrained


def test_a_signal_as_the_first_phase_ends_stops_the_second(pictures, shared, tmp_path, monkeypatch, capsys):
    """What trains is replaced by files, so that the signal comes at the moment that matters and no later.

    In colour, from weights for grey images.
    """
    phases, write_model = [], outputs.write_model

    def terminate(model, dataset, recipe, folder):
        write_model(model, dataset, recipe, folder)
        phases.append(folder.name)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(outputs, "write_model", terminate)
    monkeypatch.setattr(Epochs, "train", lambda self: None)
    words = ["fine-tune", "--data", pictures, "--model", "lambda_resnet_tiny", "--weights", shared, "--colour"]
    assert main([*map(str, words), "--epochs", "2", "--head-epochs", "1", "--out", str(tmp_path), *OVERRIDES]) == 75
    assert "stopped by a signal after the last step; the same command resumes it\n" in capsys.readouterr().err
    assert phases == ["head"]
    assert (tmp_path / "head" / "model.keras").exists()
    preprocessor = Record.read(tmp_path / "head" / "record.json").preprocessor
    assert (preprocessor.channels, preprocessor.mean) == (3, (0.305,) * 3)


def test_a_signal_during_the_report_is_not_lost(run, pictures, shared, monkeypatch):
    draw = results.explanations.draw

    def terminate(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return draw(*arguments)

    before = (run[0] / "report.html").stat().st_mtime_ns
    monkeypatch.setattr(results.explanations, "draw", terminate)
    # The training has ended before.
    monkeypatch.setattr("lambda_keras.zoo.fine_tuning.run.train_phase", lambda *arguments, **options: None)
    with pytest.raises(StoppedError):
        fine_tune(settings(pictures, shared, run[0]))
    assert (run[0] / "report.html").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--budget", "0"], "--budget must be above 0 minutes, got 0"),
        (["--budget", "nan"], "--budget must be above 0 minutes, got nan"),
        (["--budget", "1", "--epochs", "2"], "--budget and --epochs exclude each other"),
        (["--head-epochs", "-1"], "--head-epochs must be at least 0, got -1"),
        (["training.epochs=3"], "give --epochs instead of training.epochs"),
        (["model.weights=x"], "give --weights instead of model.weights"),
        (["--data", "no/where"], "no such folder: no/where; give a folder of class folders, a .csv file or"),
        (["--data", "nowhere.csv"], "/nowhere.csv; a table of images is a CSV file with the columns path and label"),
        (["--data", ".", "--data-dir", "x"], "--data-dir is for a dataset by name, got the files ."),
        (["--data", "."], "--out must not lie in --data, whose folders are classes, got run in ."),
        (["--data", ".", "--out", "../run"], "has no image files (endings .jpg,"),
        (["--data", "pictures.zip"], "pictures.zip is an archive; unpack it and give the folder that comes out"),
        (["--colour"], "--colour is for files; the images of the dataset digits have channels of their own"),
        (["--data", "picturs"], "--data picturs: no such folder, and as a dataset: "),
        (["--weights", "imagenet"], "lambda_resnet_tiny has no weights 'imagenet'. There are: fashion_mnist, digits"),
        (["training.rate=3"], "command line: unknown key training.rate"),
        # Before the files are looked at: there is none here.
        (["--data", ".", "--out", "../run", "data.crop=x"], "command line: data.crop must be 'inception', 'pad' or"),
        (["--data", ".", "--out", "../run", "data.most_pixels=0"], "command line: data.most_pixels must be greater"),
        (["data.pseudo={folder: x, share: 0.5}"], "data.pseudo is for recipes: train one with `lambda-zoo train`"),
        (["data.pseudo.folder=x"], "data.pseudo is for recipes"),
    ],
)
def test_user_errors(options, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["--data", "digits", "--model", "lambda_resnet_tiny", "--weights", "none", "--out", "run", *options]
    assert main(["fine-tune", *arguments]) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
