"""Files that version 0.1.0 wrote when `zoo` and `export` were packages of their own still load, and mean the same.

tests/golden/version_0_1_0.tar.xz was recorded from commit 0d1eb55. It holds a training that SIGTERM stopped after step
51 (`stopped`), the same training at its end (`finished`), what `lambda-export` and `save_pretrained` made of that
(`served/1`, `model.tflite`, `shared`), and what the model said of 32 test images (`expected.npz`).

tests/golden/fused_0_1_0.keras was recorded from commit a49e481: what `lk.fuse` made of three lambda layers, with
embeddings in bands, in chunks and in one piece. fused_0_1_0.npy has the outputs of the model before it was fused.
"""

import csv
import pathlib
import tarfile

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.export import cli as export_cli
from lambda_keras.zoo import cli as zoo_cli

GOLDEN = pathlib.Path(__file__).parent / "golden"
ARCHIVE = GOLDEN / "version_0_1_0.tar.xz"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The folder of the files."""
    folder = tmp_path_factory.mktemp("recorded")
    with tarfile.open(ARCHIVE) as archive:
        # Python 3.11.0 to 3.11.3 have no filters.
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return folder


@pytest.fixture(scope="module")
def expected(recorded):
    return np.load(recorded / "expected.npz")


def rows(run):
    with open(run / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_stopped_training_goes_on_to_the_same_end(recorded, expected):
    run = recorded / "stopped"
    assert zoo_cli.main(["train", "--recipe", str(run / "recipe.yaml"), "--out", str(run)]) == 0
    for row, was in zip(rows(run), rows(recorded / "finished"), strict=True):
        # Another CPU, or another order of contraction, rounds otherwise, and 97 steps magnify it.
        for column, tolerance in {"loss": 0.04, "val_loss": 0.04, "accuracy": 0.04, "learning_rate": 1e-6}.items():
            assert float(row[column]) == pytest.approx(float(was[column]), abs=tolerance), column
    # The first epoch was not trained again.
    assert rows(run)[0]["seconds"] == rows(recorded / "finished")[0]["seconds"]
    assert (run / "record.json").read_text() == (recorded / "finished" / "record.json").read_text()
    weights = np.concatenate([weight.ravel() for weight in keras.models.load_model(run / "model.keras").get_weights()])
    difference = np.linalg.norm(weights - expected["weights"]) / np.linalg.norm(expected["weights"])
    assert difference < 5e-2


def test_a_model_has_its_weights_and_probabilities(recorded, expected):
    path = recorded / "finished" / "model.keras"
    model = keras.models.load_model(path)
    np.testing.assert_array_equal(
        np.concatenate([weight.ravel() for weight in model.get_weights()]), expected["weights"]
    )
    shared = lk.from_pretrained(recorded / "shared")
    again = lk.create_model(
        "lambda_resnet_tiny", input_shape=(16, 16, 1), stage_widths=(4, 4, 8, 8), stem_width=4, dropout_rate=0.1
    )
    lk.load_weights(again, path)
    images = lk.preprocess_input(expected["images"], mean=(0.305,), std=(0.376,))
    for each in (model, shared, again):
        np.testing.assert_allclose(each.predict(images, verbose=0), expected["probabilities"], atol=1e-5)


def test_runs_and_artifacts_agree(recorded, expected, tmp_path, capsys):
    """`verify` reads record.json, model.json and the metadata of the TFLite file, and runs all of them."""
    data = {"images": expected["images"], "labels": expected["labels"], "mean": [0.305], "std": [0.376]}
    np.savez(tmp_path / "test.npz", class_names=[*"0123456789"], **data)
    for model in ("finished", "shared"):
        artifacts = [str(recorded / name) for name in ("served/1", "model.tflite")]
        command = ["verify", "--model", str(recorded / model), "--data", str(tmp_path / "test.npz"), *artifacts]
        assert export_cli.main(command) == 0
        assert capsys.readouterr().out.count(" pass") == 2
    assert export_cli.main(["serve-check", str(recorded / "served")]) == 0


def test_evaluation_of_an_old_run(recorded, tmp_path, capsys):
    assert zoo_cli.main(["evaluate", str(recorded / "finished"), "--out", str(tmp_path / "evaluation")]) == 0
    assert "78.00%" in capsys.readouterr().out


def test_a_fused_model_whose_embeddings_were_laid_out_row_by_row():
    model = keras.models.load_model(GOLDEN / "fused_0_1_0.keras")
    images = np.random.default_rng(0).normal(size=(2, 8, 3, 6)).astype("float32")
    np.testing.assert_allclose(model.predict(images, verbose=0), np.load(GOLDEN / "fused_0_1_0.npy"), rtol=0, atol=1e-4)
