"""Runs that are killed and started again end as runs that were not."""

import pathlib
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT
from tests.zoo.training.workers import free_ports

SCRIPT = pathlib.Path(__file__).with_name("train_and_die.py")
# 2 epochs of 9 steps; everything that has a state.
RECIPE = [
    "--recipe",
    "digits",
    "data.image_size=16",
    "data.horizontal_flip=true",
    "data.random_erasing=0.5",
    "model.overrides.dropout_rate=0.3",
    "model.overrides.stochastic_depth_rate=0.2",
    "training.epochs=2",
    "training.batch_size=128",
    "training.ema_decay=0.9",
    "training.checkpoint_steps=3",
    "training.steps_per_loop=1",
]
STEPS = 18
EX_TEMPFAIL = 75


def train(out, step=0, name="SIGKILL", strategy="default", launcher=()):
    """Trains to the folder `out`; the process gets a signal after a step, unless that is 0."""
    script = [SCRIPT, step, name, f"{out}.signal_at_step_{step}"]
    command = [*launcher, sys.executable, *script, "train", *RECIPE, "--out", out, "--strategy", strategy]
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=1200)


def state(run, step=STEPS):
    """All tensors of a checkpoint but the number of times it was saved."""
    reader = tf.train.load_checkpoint(run / "checkpoints" / f"ckpt-{step}")
    names = [name for name in reader.get_variable_to_shape_map() if "GRAPH" not in name and "save_counter" not in name]
    return {name: reader.get_tensor(name) for name in names}


def metrics(run):
    """The columns of metrics.csv that are not times."""
    lines = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    return [line[:6] for line in lines]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "uninterrupted"
    result = train(run)
    assert result.returncode == 0, result.stderr
    return run


@pytest.mark.slow
def test_a_run_killed_five_times_ends_bit_for_bit_as_one_that_was_not(uninterrupted, tmp_path):
    run = tmp_path / "killed"
    for step in sorted(random.Random(0).sample(range(1, STEPS), 5)):
        assert train(run, step).returncode == -9, step
    result = train(run)
    assert result.returncode == 0, result.stderr
    assert "Going on from the checkpoint of step" in result.stdout
    expected, got = state(uninterrupted), state(run)
    assert expected.keys() == got.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    assert metrics(run) == metrics(uninterrupted)


@pytest.mark.slow
def test_sigterm_saves_within_a_step_and_the_same_command_goes_on(uninterrupted, tmp_path):
    run = tmp_path / "stopped"
    result = train(run, step=4, name="SIGTERM")
    assert result.returncode == EX_TEMPFAIL
    assert result.stderr.splitlines()[-1] == (
        "lambda-zoo: stopped by a signal after step 5; the same command goes on from there"
    )
    assert state(run, step=5)
    result = train(run)
    assert result.returncode == 0, result.stderr
    assert "Going on from the checkpoint of step 5" in result.stdout
    expected, got = state(uninterrupted), state(run)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


@pytest.mark.slow
def test_a_finished_run_only_evaluates_again(uninterrupted):
    before = metrics(uninterrupted)
    result = train(uninterrupted)
    assert result.returncode == 0, result.stderr
    assert f"Going on from the checkpoint of step {STEPS}" in result.stdout
    assert "Test accuracy" in result.stdout
    assert metrics(uninterrupted) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_worker_of_two_gets_a_signal_and_the_supervisor_starts_both_again(name, two_workers, tmp_path):
    run = tmp_path / "interrupted"
    result = train(run, step=5, name=name, strategy="multi_worker", launcher=supervisor())
    assert result.returncode == 0, result.stderr
    assert "restart 1 of 2" in result.stderr
    # The workers agree to stop after the step in work; on a busy machine the next one has begun by then.
    lost = "another worker is gone" if name == "SIGKILL" else "stopped by a signal after step [67]"
    assert re.search(lost, result.stderr)
    expected, got = state(two_workers), state(run)
    for key in expected:
        # The sums over workers may be in another order.
        np.testing.assert_allclose(got[key], expected[key], rtol=1e-5, atol=1e-6, err_msg=key)


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "two_workers"
    result = train(run, strategy="multi_worker", launcher=supervisor())
    assert result.returncode == 0, result.stderr
    return run


def supervisor():
    hosts = ",".join(f"127.0.0.1:{port}" for port in free_ports(2))
    return [sys.executable, ROOT / "scripts" / "supervise.py", "--hosts", hosts, "--restarts", 2, "--pause", 1, "--"]
