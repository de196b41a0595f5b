"""Runs on labelled and pseudo-labelled images that are killed and started again end as runs that were not.

zoo/fine_tuning/test_run.py has kills of a run without pseudo-labels.
"""

import csv
import sys

import numpy as np
import pytest

from tests.zoo import pseudo_shards
from tests.zoo.training import faults
from tests.zoo.training.faults import STEPS, on_pseudo_labels, state

EX_TEMPFAIL = 75


def metrics(run):
    """The columns of metrics.csv that are not times."""
    with open(run / "metrics.csv", newline="") as file:
        return [row[:8] for row in csv.reader(file)]


@pytest.fixture(scope="module")
def selected(tmp_path_factory):
    folder, _ = pseudo_shards.write(tmp_path_factory.mktemp("selected"))
    return folder


@pytest.fixture(scope="module")
def train(selected):
    """Trains to a folder by an interpreter, with what happens to it."""
    return lambda *arguments: faults.train(*arguments, overrides=on_pseudo_labels(selected))


@pytest.fixture(scope="module")
def uninterrupted(train, warm_python, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "uninterrupted"
    result = train(warm_python, run)
    assert result.returncode == 0, result.stderr
    return run


@pytest.mark.slow
def test_a_run_killed_and_stopped_ends_bit_for_bit_as_one_that_was_not(uninterrupted, train, warm_python, tmp_path):
    run = tmp_path / "interrupted"
    # Before the first checkpoint, in an interpreter that was started for it.
    assert train([sys.executable], run, "2=SIGKILL").returncode == -9
    # SIGTERM saves within a step, also between two checkpoints.
    result = train(warm_python, run, "4=SIGTERM")
    assert result.returncode == EX_TEMPFAIL
    assert result.stderr.splitlines()[-1] == (
        "lambda-zoo: stopped by a signal after step 5; the same command resumes it"
    )
    assert state(run, step=5)
    # Between two checkpoints of the second epoch.
    assert train(warm_python, run, "11=SIGKILL").returncode == -9
    result = train(warm_python, run)
    assert result.returncode == 0, result.stderr
    assert "Resuming from the checkpoint of step 9" in result.stdout
    expected, got = state(uninterrupted), state(run)
    assert expected.keys() == got.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    header, *rows = metrics(uninterrupted)
    assert metrics(run) == [header, *rows]
    assert header[:5] == ["epoch", "loss", "labelled_loss", "pseudo_loss", "accuracy"]
    assert all(float(value) > 0 for row in rows for value in row[1:5])


@pytest.mark.slow
def test_a_finished_run_only_evaluates_again_and_is_bound_to_its_labels(uninterrupted, train, selected, warm_python):
    before = metrics(uninterrupted)
    result = train(warm_python, uninterrupted)
    assert result.returncode == 0, result.stderr
    assert f"Resuming from the checkpoint of step {STEPS}" in result.stdout
    assert "Test accuracy" in result.stdout
    assert metrics(uninterrupted) == before
    pseudo_shards.write(selected, count=30)
    result = train(warm_python, uninterrupted)
    pseudo_shards.write(selected)
    assert result.returncode == 2
    assert "holds a run on other images, or in another order" in result.stderr.splitlines()[-1]
