"""Trainings that are killed and started again end as those that were not, and what they leave."""

import csv
import json
import shutil
import subprocess

import numpy as np
import pytest

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.detection.data import catalog, stamps
from lambda_keras.zoo.detection.loading import load
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.detection.run import train
from lambda_keras.zoo.errors import UserError
from tests.conftest import ROOT
from tests.zoo.detection.drawn_stamps import draw_stamps
from tests.zoo.detection.training import SMALL, load_parts, recipe, write_pictures
from tests.zoo.training.faults import state
from tests.zoo.training.workers import run_workers

# The recipe of benchmarks/stamps.py in little: one lambda layer, for more would be traced, not proved; and all that is
# random. Jitter, flip and sampling are on anyway.
STAMPS = [
    "model.overrides.blocks=[1,1,1,1]",
    "model.overrides.lambda_blocks=[[],[],[],[1]]",
    "model.overrides.stochastic_depth_rate=0.3",
    *(f"model.{name}={value}" for name, value in SMALL.items()),
    "data.image_size=64",
    "training.steps=6",
    "training.warmup_steps=2",
    "training.batch_size=2",
    "training.synchronized_batch_norm=true",
    "training.steps_per_loop=1",
    "training.evaluation_steps=4",
    "training.checkpoint_steps=2",
]

# zoo/training/test_faults.py kills at chosen places of the same loop.
SEED_OF_KILLS = 2026
FIGURES = ("box_ap", "box_ap50", "mask_ap", "mask_ap50")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pictures, one of which cannot be read, and one object of which is of no category."""
    folder = tmp_path_factory.mktemp("stamps")
    draw_stamps(folder / "stamps")
    stamps.compose(folder / "stamps", folder / "data", train_pictures=6, val_pictures=4, seed=0)
    (folder / "data" / "val" / "000004.jpg").write_bytes(b"no picture")
    file = folder / "data" / "instances_train.json"
    content = json.loads(file.read_text())
    content["annotations"].append({"id": 10**6, "image_id": 1, "category_id": 99, "bbox": [1, 1, 9, 9]})
    file.write_text(json.dumps(content))
    return folder / "data"


def script(data, out, faults="", strategy="default"):
    """The words behind an interpreter that train."""
    command = ["-m", "tests.zoo.detection.train_and_die", faults, f"{out}.signal", "stamps", data, out]
    return [*map(str, command), strategy, *STAMPS]


def start(python, data, out, faults=""):
    return subprocess.run([*python, *script(data, out, faults)], cwd=ROOT, capture_output=True, text=True, timeout=1200)


@pytest.fixture(scope="module")
def uninterrupted(data, warm_python, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "uninterrupted"
    result = start(warm_python, data, run)
    assert result.returncode == 0, result.stderr
    return run, result.stdout


def rows(run):
    with open(run / "metrics.csv", newline="", encoding="utf-8") as file:
        times = ("seconds", "images_per_second")
        return [{key: value for key, value in row.items() if key not in times} for row in csv.DictReader(file)]


def test_a_run_that_was_killed_ends_bit_for_bit_as_one_that_was_not(uninterrupted, data, warm_python, tmp_path):
    run = tmp_path / "interrupted"
    kills = sorted(np.random.default_rng(SEED_OF_KILLS).choice(np.arange(1, 7), 2, replace=False))
    faults = ",".join(f"{step}=SIGKILL" for step in kills)
    assert start(warm_python, data, run, faults).returncode == -9
    for killed, status in zip(kills, (-9, 0), strict=True):
        result = start(warm_python, data, run, faults)
        assert result.returncode == status, result.stderr
        # There is one of every second step, written after the step's end, where the kill comes.
        checkpoint = (killed - 1) // 2 * 2
        line = f"Resuming from the checkpoint of step {checkpoint}"
        assert line in result.stdout if checkpoint else "Resuming" not in result.stdout
    expected, got = (state(path, step=6) for path in (uninterrupted[0], run))
    assert expected.keys() == got.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    assert rows(run) == rows(uninterrupted[0])


def test_what_a_run_leaves_and_says(uninterrupted):
    run, printed = uninterrupted
    assert "6 train, 4 validation pictures of 8 categories" in printed
    assert "skipped (train): 1 annotations of a category that the file does not list" in printed
    assert printed.count("1 of 4 pictures to evaluate with could not be read") == 3
    assert "epoch 2/2  loss " in printed
    assert [row["epoch"] for row in rows(run)] == ["1", "2"]
    assert {"loss", "mask", "val_box_ap", "val_mask_ap50"} <= rows(run)[0].keys()
    assert all(0 <= float(row["val_mask_ap"]) <= 1 for row in rows(run))
    assert recipe_file.load_as(DetectorRecipe, run / "recipe.yaml") == recipe_file.load_as(
        DetectorRecipe, "stamps", STAMPS
    )
    percentages = [f"{100 * float(rows(run)[-1][f'val_{figure}']):.1f}" for figure in FIGURES]
    card = (run / "model_card.md").read_text(encoding="utf-8")
    assert f"| {' | '.join(percentages)} |" in card
    assert "On the 3 pictures that it was evaluated with" in card
    assert "| the pictures are under | GPL-2.0-or-later |" in card
    detector = load(run)
    assert detector.record.class_names == stamps.CATEGORIES
    model = detector.model
    assert model.dtype_policy.name == "float32"
    averages = [value for name, value in state(run, step=6).items() if "optimizer" in name]
    kernel = model.get_layer("mask_head").get_layer("mask_logits").kernel.numpy()
    assert any(value.shape == kernel.shape and np.array_equal(value, kernel) for value in averages)


def test_a_worker_goes_on_and_gathers_what_it_finds(uninterrupted, data, warm_python, tmp_path):
    """A single one, whose collective operations are those of many."""
    run = shutil.copytree(uninterrupted[0], tmp_path / "run")
    for file in (run / "checkpoints").glob("ckpt-6.*"):
        file.unlink()
    run_workers(warm_python, *script(data, run, strategy="multi_worker"), count=1)
    for row, expected in zip(rows(run), rows(uninterrupted[0]), strict=True):
        assert {key: float(value) for key, value in row.items()} == pytest.approx(
            {key: float(value) for key, value in expected.items()}, rel=1e-3, abs=1e-6
        )


def test_another_recipe_in_the_same_folder_is_refused(uninterrupted, data):
    other = recipe_file.load_as(DetectorRecipe, "stamps", [*STAMPS, "training.seed=5"])
    with pytest.raises(UserError, match=r"holds a run with other settings \(training\.seed 0 there, 5 here"):
        train(other, uninterrupted[0], *catalog.load_for_training(data, with_masks=True))


def test_parts_of_other_categories_are_refused(tmp_path):
    write_pictures(tmp_path / "pictures")
    file = tmp_path / "pictures" / "val.json"
    file.write_text(file.read_text().replace("green", "blue"))
    with pytest.raises(UserError, match="have other categories: red, green, and red, blue"):
        train(recipe(), tmp_path / "run", *load_parts(tmp_path / "pictures"))
    assert not (tmp_path / "run" / "metrics.csv").exists()
