"""Two workers with pseudo-labels, of which one is killed and then stopped: the run ends as one without faults."""

import sys

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.zoo import pseudo_shards
from tests.zoo.training.faults import on_pseudo_labels, state, train
from tests.zoo.training.workers import free_ports


def supervised(python):
    """The words that start `python` as two workers, and start them again."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in free_ports(2))
    supervisor = [sys.executable, ROOT / "scripts" / "supervise.py", "--hosts", hosts, "--restarts", 2, "--pause", 1]
    return [*supervisor, "--", *python]


@pytest.mark.slow
def test_a_worker_of_two_is_killed_and_stopped_and_the_supervisor_starts_both_again(warm_python, tmp_path):
    undisturbed, run = tmp_path / "undisturbed", tmp_path / "interrupted"
    # Two streams, of which each worker reads its share.
    folder, _ = pseudo_shards.write(tmp_path / "selected")
    options = {"strategy": "multi_worker", "overrides": [*on_pseudo_labels(folder), "training.epochs=1"]}
    result = train(supervised(warm_python), undisturbed, **options)
    assert result.returncode == 0, result.stderr

    result = train(supervised(warm_python), run, "4=SIGKILL,6=SIGTERM", **options)
    assert result.returncode == 0, result.stderr
    first, second = result.stderr.split("restart 1 of 2")
    assert "ended with status 137" in first
    # The other one says so, unless the supervisor's signal comes first.
    assert "another worker is gone" in first or "Terminated" in first
    # The workers agree to stop after the step that follows the signal.
    assert "stopped by a signal after step 7" in second
    assert "restart 2 of 2" in second
    expected, got = state(undisturbed, step=9), state(run, step=9)
    for key in expected:
        # The sums over workers may be in another order.
        np.testing.assert_allclose(got[key], expected[key], rtol=1e-5, atol=1e-6, err_msg=key)
