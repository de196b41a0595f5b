"""The batch script for Slurm, with stand-ins for Slurm's commands that run two tasks here."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.process
SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "slurm.sh"
COMMANDS = {
    "scontrol": 'if [ "$1" = requeue ]; then touch requeued; else printf "node-1\\nnode-2\\n"; fi',
    "srun": """
shift
for index in 0 1; do SLURM_PROCID=$index "$@" & tasks="$tasks $!"; done
status=0
for task in $tasks; do wait $task || status=$?; done
exit $status
""",
    "scancel": 'for file in pid.*; do kill -s "${1#--signal=}" $(cat $file); done',
}

PROLOGUE = """
echo $$ $PPID > pid.$SLURM_PROCID
echo $$ >> starts.$SLURM_PROCID
attempt=$(wc -l < starts.$SLURM_PROCID)
"""


@pytest.fixture
def sbatch(tmp_path):
    """Starts the batch script with `lambda-zoo` replaced by a script that knows its index and attempt."""

    def sbatch(lambda_zoo, *arguments, **environment):
        for name, text in {**COMMANDS, "lambda-zoo": PROLOGUE + lambda_zoo}.items():
            (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
            (tmp_path / name).chmod(0o755)
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "SLURM_JOB_ID": "70007",
            "SLURM_JOB_NODELIST": "node-[1-2]",
            "PAUSE_SECONDS": "0",
            "SAVING_SECONDS": "0",
            **environment,
        }
        return subprocess.Popen(
            ["bash", SCRIPT, *arguments], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
        )

    return sbatch


def starts(folder):
    return len((folder / "starts.0").read_text().split())


def test_every_task_finds_its_place_in_tf_config_and_its_arguments(sbatch, tmp_path):
    script = 'echo "$TF_CONFIG" > config.$SLURM_PROCID; printf "%s\\n" "$@" > arguments'
    assert sbatch(script, "--recipe", "digits", "--out", "runs/a b").wait(60) == 0
    assert (tmp_path / "arguments").read_text().splitlines() == [
        *("train", "--strategy", "multi_worker"),
        *("--recipe", "digits", "--out", "runs/a b"),
    ]
    for index in (0, 1):
        assert json.loads((tmp_path / f"config.{index}").read_text()) == {
            "cluster": {"worker": ["node-1:20007", "node-2:20007"]},
            "task": {"type": "worker", "index": index},
        }


def test_a_failure_starts_all_again_and_a_user_error_does_not(sbatch, tmp_path):
    process = sbatch("[ $attempt = 1 ] && exit 1; exit 2")
    assert process.wait(60) == 2
    assert starts(tmp_path) == 2
    assert "status 1; restart 1 of 10" in process.stderr.read()


def test_restarts_are_counted(sbatch, tmp_path):
    assert sbatch("exit 9", RESTARTS="2").wait(60) == 9
    assert starts(tmp_path) == 3


@pytest.mark.parametrize(("number", "is_requeued"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_signals_let_the_workers_save(sbatch, tmp_path, number, is_requeued):
    process = sbatch(
        "trap 'touch saved.$SLURM_PROCID; exit 75' TERM; touch up.$SLURM_PROCID; while :; do sleep 0.1; done"
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("up.*"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(60) == 75
    assert len(list(tmp_path.glob("saved.*"))) == 2
    assert (tmp_path / "requeued").exists() == is_requeued
    assert starts(tmp_path) == 1
