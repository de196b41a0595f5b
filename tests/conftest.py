"""What all tests share: a quiet TensorFlow, a seed, and `run_python`, a process of its own."""

import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _seed():
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def run_python():
    """Runs a script in a process of its own and returns what it printed; a failure shows its traceback."""

    def run(script, *arguments, **environment):
        process = subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert process.returncode == 0, process.stderr[-4000:]
        return process.stdout

    return run
