"""The supervisor of a multi-worker training, with shell commands for workers."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.process
SUPERVISE = pathlib.Path(__file__).parents[2] / "scripts" / "supervise.py"
HOSTS = "127.0.0.1:20001,localhost:20002"
# Each of the two workers knows its number, and `attempt` is 1 at its first start, 2 at its second, … They wait for each
# other, so that none is stopped before it has started.
PROLOGUE = """
index=${TF_CONFIG##*index\\": }; index=${index%%\\}*}
echo $$ >> pids.$index
attempt=$(wc -l < pids.$index)
until [ "$(cat pids.$((1 - index)) | wc -l)" -ge $attempt ]; do sleep 0.05; done 2>/dev/null
"""


@pytest.fixture
def start(tmp_path):
    """Starts the supervisor in a folder of its own, with a script for all workers; ends it if the test did not."""
    processes = []

    def start(script, *options, hosts=HOSTS, **environment):
        options = [*options] if "--grace" in options else [*options, "--grace", "20"]
        command = [sys.executable, SUPERVISE, "--hosts", hosts, "--pause", "0", *options]
        processes.append(
            subprocess.Popen(
                [*map(str, command), "--", "sh", "-c", PROLOGUE + script],
                cwd=tmp_path,
                env={**os.environ, **environment},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def end(process):
    """Waits for the end; returns the exit status and what stderr said."""
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.02)


def pids(folder):
    return [int(pid) for file in sorted(folder.glob("pids.*")) for pid in file.read_text().split()]


def runs(pid):
    """Whether a process is there and not a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_worker_finds_its_place_in_tf_config(start, tmp_path):
    assert end(start('echo "$TF_CONFIG" > config.$index')) == (0, "")
    configs = [json.loads((tmp_path / f"config.{index}").read_text()) for index in (0, 1)]
    assert [config["task"] for config in configs] == [{"type": "worker", "index": index} for index in (0, 1)]
    assert all(config["cluster"] == {"worker": HOSTS.split(",")} for config in configs)
    assert len(pids(tmp_path)) == 2


def test_arguments_arrive_as_they_were_typed(tmp_path):
    script = "import sys; open('arguments', 'w').write(repr(sys.argv[1:]))"
    arguments = ["--out", "runs/a b", "data.train='x'", 'a"b', "$HOME", "--", "é"]
    command = [sys.executable, SUPERVISE, "--hosts", "127.0.0.1:20001", "--", sys.executable, "-c", script, *arguments]
    folder = tmp_path / "it's here"
    folder.mkdir()
    subprocess.run(command, cwd=folder, check=True)
    assert (folder / "arguments").read_text() == repr(arguments)


def test_when_one_worker_is_killed_all_start_again(start, tmp_path):
    status, err = end(start("[ $attempt = 2 ] && exit 0; [ $index = 1 ] && kill -9 $$; exec sleep 1000"))
    assert status == 0
    assert "worker 1 (localhost:20002) ended with status 137" in err
    assert "restart 1 of 10" in err
    assert len(pids(tmp_path)) == 4
    assert not any(map(runs, pids(tmp_path)))


def test_kill_9_from_outside(start, tmp_path):
    process = start("[ $attempt = 2 ] && exit 0; exec sleep 1000")
    wait_for(lambda: len(pids(tmp_path)) == 2)
    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    assert end(process)[0] == 0
    assert len(pids(tmp_path)) == 4


@pytest.mark.parametrize("status", [2, 127])
def test_a_user_error_ends_at_once(start, tmp_path, status):
    assert end(start(f"[ $index = 1 ] && exit {status}; exec sleep 1000"))[0] == status
    assert len(pids(tmp_path)) == 2
    assert not any(map(runs, pids(tmp_path)))


def test_when_restarts_are_used_up_the_status_is_the_workers(start, tmp_path):
    status, err = end(start("[ $index = 0 ] && exit 5; exec sleep 1000", "--restarts", "2"))
    assert status == 5
    assert "no restarts left" in err
    assert len(pids(tmp_path)) == 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_go_on_to_all_workers(start, tmp_path, number):
    process = start("trap 'echo saved > saved.$index; exit 75' TERM; touch ready.$index; while :; do sleep 0.1; done")
    wait_for(lambda: len(list(tmp_path.glob("ready.*"))) == 2)
    process.send_signal(number)
    assert end(process)[0] == 75
    assert len(list(tmp_path.glob("saved.*"))) == 2
    assert len(pids(tmp_path)) == 2


def test_a_signal_that_no_worker_saves_on(start, tmp_path):
    process = start("exec sleep 1000")
    wait_for(lambda: len(pids(tmp_path)) == 2)
    process.terminate()
    assert end(process)[0] == 143


def test_a_worker_that_does_not_heed_sigterm_is_killed(start, tmp_path):
    script = (
        "[ $index = 1 ] && while [ ! -e ready ]; do sleep 0.1; done && exit 2\ntrap '' TERM; touch ready; sleep 1000"
    )
    assert end(start(script, "--grace", "1"))[0] == 2
    assert not any(map(runs, pids(tmp_path)))


def test_what_a_worker_started_ends_with_it(start, tmp_path):
    assert end(start("sleep 1000 & echo $! > child.$index"))[0] == 0
    children = [int(file.read_text()) for file in tmp_path.glob("child.*")]
    assert len(children) == 2
    wait_for(lambda: not any(map(runs, children)))


def test_workers_do_not_outlive_the_supervisor(start, tmp_path):
    process = start("trap '' TERM; sleep 1000", "--grace", "1")
    wait_for(lambda: len(pids(tmp_path)) == 2)
    process.kill()
    wait_for(lambda: not any(map(runs, pids(tmp_path))))


def test_other_hosts_are_reached_by_ssh(start, tmp_path):
    """A stand-in for ssh notes its arguments and runs the remote command here, as a login shell would."""
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(
        '#!/bin/sh\nwhile [ "$1" = -o ]; do shift 2; done\necho "$1" >> hosts\nshift\nexec "${SHELL:-sh}" -c "$*"\n'
    )
    ssh.chmod(0o755)
    process = start(
        "trap 'exit 75' TERM; touch ready.$index; while :; do sleep 0.1; done",
        hosts="node-1.cluster:20001,node-2.cluster:20001",
        PATH=f"{ssh.parent}:{os.environ['PATH']}",
    )
    wait_for(lambda: len(list(tmp_path.glob("ready.*"))) == 2)
    process.terminate()
    assert end(process)[0] == 75
    assert sorted((tmp_path / "hosts").read_text().split()) == ["node-1.cluster", "node-2.cluster"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--hosts", "a:1"], "command"),
        (["--hosts", "a", "--", "true"], "host:port, got 'a'"),
        (["--hosts", "a:1,b:70000", "--", "true"], "host:port, got 'b:70000'"),
        (["--hosts", "a:1,a:1", "--", "true"], "a host:port of its own"),
        (["--hosts=-F:22", "--", "true"], "host:port, got '-F:22'"),
        (["--hosts", f"a:{'9' * 5000}", "--", "true"], "host:port, got 'a:999"),
        (["--hosts", "a:1", "--restarts", "-1", "--", "true"], "a whole number of at least 0, got '-1'"),
        (["--hosts", "a:1", "--grace", "1e9", "--", "true"], "a whole number of at least 0, got '1e9'"),
        (["--hosts", "a:1", "--pause", "nan", "--", "true"], "seconds, at least 0, such as 0.5, got 'nan'"),
    ],
)
def test_wrong_arguments(arguments, expected):
    result = subprocess.run([sys.executable, SUPERVISE, *arguments], capture_output=True, text=True)
    assert result.returncode == 2
    assert expected in result.stderr
