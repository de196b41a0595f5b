"""A forked process does what a fresh interpreter would: arguments, surroundings, output, and how it ends."""

import os
import pathlib
import signal
import subprocess
import time

import pytest


@pytest.fixture
def run(warm_python, tmp_path):
    def run(*arguments, **options):
        return subprocess.run([*warm_python, *arguments], cwd=tmp_path, capture_output=True, text=True, **options)

    return run


def test_arguments_environment_folder_and_output(run, tmp_path):
    code = "import os, sys; print(sys.argv, os.environ['PLACE'], os.getcwd(), input()); print('no', file=sys.stderr)"
    environment = {**os.environ, "PLACE": "here"}
    result = run("-c", code, "a", "b c", input="typed\n", env=environment)
    assert result.stdout == f"['-c', 'a', 'b c'] here {tmp_path} typed\n"
    assert (result.stderr, result.returncode) == ("no\n", 0)


def test_a_script_and_a_module_are_the_main_one(run, tmp_path):
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    (tmp_path / "script.py").write_text("import sys, beside; print(__name__, sys.argv[1:], beside.NAME)")
    assert run(tmp_path / "script.py", "a").stdout == "__main__ ['a'] beside\n"
    assert run("-m", "script", "a").stdout == "__main__ ['a'] beside\n"


@pytest.mark.parametrize(
    ("code", "status", "stderr"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('a word')", 1, "a word\n"),
        ("import atexit, sys; atexit.register(print, 'end', file=sys.stderr)", 0, "end\n"),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM, ""),
    ],
)
def test_how_it_ends(run, code, status, stderr):
    result = run("-c", code)
    assert (result.returncode, result.stderr) == (status, stderr)


def test_an_error_has_its_traceback(run):
    result = run("-c", "1 / 0")
    assert result.returncode == 1
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_each_has_a_tensorflow_and_random_numbers_of_its_own(run):
    code = "import sys; print('tensorflow' in sys.modules); import random, numpy, tensorflow as tf; tf.ones(3) + 1; "
    code += "print(random.random(), numpy.random.rand(), tf.random.uniform([]).numpy())"
    (first, *numbers), (second, *others) = (run("-c", code).stdout.split() for _ in range(2))
    assert first == second == "True"
    assert not set(numbers) & set(others)


WAIT = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
pathlib.Path("pid.new").write_text(str(os.getpid()))
os.rename("pid.new", "pid")
time.sleep(1000)
"""


@pytest.fixture
def waiting(warm_python, tmp_path):
    """Who asked for a process, and the number of the process, which waits for a signal."""
    asker = subprocess.Popen([*warm_python, "-c", WAIT], cwd=tmp_path)
    while not (tmp_path / "pid").exists():
        assert asker.poll() is None
        time.sleep(0.01)
    yield asker, int((tmp_path / "pid").read_text())
    asker.kill()
    asker.wait()


def test_a_signal_goes_on_to_it(waiting):
    asker, _ = waiting
    asker.terminate()
    assert asker.wait(60) == 75


def test_it_does_not_outlive_who_asked_for_it(waiting):
    asker, process = waiting
    asker.kill()
    deadline = time.monotonic() + 60
    while pathlib.Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
