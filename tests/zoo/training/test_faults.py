"""Runs that are killed and started again end as runs that were not."""

import csv
import sys

import numpy as np
import pytest

from tests.zoo import pseudo_shards
from tests.zoo.training.faults import STEPS, on_pseudo_labels, state, train

EX_TEMPFAIL = 75


def metrics(run):
    """The columns of metrics.csv that are not times."""
    lines = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    return [line[:6] for line in lines]


@pytest.fixture(scope="module")
def uninterrupted(warm_python, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "uninterrupted"
    result = train(warm_python, run)
    assert result.returncode == 0, result.stderr
    return run


@pytest.mark.slow
def test_a_run_killed_and_stopped_ends_bit_for_bit_as_one_that_was_not(uninterrupted, warm_python, tmp_path):
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
    # At the first step of the second epoch. Between two checkpoints of an epoch it is killed in the test below.
    assert train(warm_python, run, "10=SIGKILL").returncode == -9
    result = train(warm_python, run)
    assert result.returncode == 0, result.stderr
    assert "Going on from the checkpoint of step 9" in result.stdout
    expected, got = state(uninterrupted), state(run)
    assert expected.keys() == got.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    assert metrics(run) == metrics(uninterrupted)


@pytest.mark.slow
def test_a_killed_run_on_pseudo_labels_ends_bit_for_bit_and_is_bound_to_them(warm_python, tmp_path):
    folder, _ = pseudo_shards.write(tmp_path / "selected")
    overrides = on_pseudo_labels(folder)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(warm_python, whole, overrides=overrides).returncode == 0
    assert train(warm_python, killed, "5=SIGKILL", overrides=overrides).returncode == -9
    result = train(warm_python, killed, overrides=overrides)
    assert "Going on from the checkpoint of step 3" in result.stdout, result.stderr
    expected, got = state(whole, step=9), state(killed, step=9)
    assert expected.keys() == got.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    (header, row) = csv.reader((whole / "metrics.csv").read_text().splitlines())
    assert header[:5] == ["epoch", "loss", "labelled_loss", "pseudo_loss", "accuracy"]
    assert all(float(value) > 0 for value in row[1:5])
    pseudo_shards.write(folder, count=30)
    result = train(warm_python, killed, overrides=overrides)
    assert result.returncode == 2
    assert "holds a run on other images, or in another order" in result.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_finished_run_only_evaluates_again(uninterrupted, warm_python):
    before = metrics(uninterrupted)
    result = train(warm_python, uninterrupted)
    assert result.returncode == 0, result.stderr
    assert f"Going on from the checkpoint of step {STEPS}" in result.stdout
    assert "Test accuracy" in result.stdout
    assert metrics(uninterrupted) == before
