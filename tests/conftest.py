"""What all tests share: their order, a quiet TensorFlow, a seed, ImageNet's class names, and processes of their own."""

import functools
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# XLA, in jax and in TensorFlow: to make what it compiles fast takes longer than the tests compute.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# Enough processes run at the same time. The threads of one wait busily for each other, a fifth of the time it takes.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

from tests.compilation import compile_at_once
from tests.garbage import collect_seldom

TESTS = pathlib.Path(__file__).parent
ROOT = TESTS.parent
# The files that take longest, the longest first. The processes work through the files in this order (see the Makefile),
# and end together if the last files are short. `make test-fast` leaves these out.
HEAVY = (
    "test_shell_blocks.py",
    "zoo/training/test_trainer.py",
    "zoo/detection/test_task.py",
    "zoo/training/test_run.py",
    "zoo/fine_tuning/test_run.py",
    "export/test_round_trips.py",
    "zoo/training/test_faults.py",
    "notebooks/test_notebooks.py",
    "lambda_keras/test_backends.py",
    "export/test_cli.py",
    "zoo/training/test_worker_faults.py",
    "zoo/detection/test_run.py",
    "lambda_keras/test_inference.py",
    "benchmarks/test_accelerator.py",
    "export/detection/test_verification.py",
    "zoo/detection/test_forward.py",
    "test_extras.py",
    "lambda_keras/weights/formats/test_open_file.py",
    "export/detection/test_signatures.py",
    "test_recorded_files.py",
    "lambda_keras/applications/test_lambda_resnet.py",
    "export/checks/test_verification.py",
    "lambda_keras/weights/formats/test_timm.py",
    "lambda_keras/weights/formats/test_resnet_rs.py",
    "export/checks/test_runner.py",
    "export/tflite/test_writer.py",
    "test_packaging.py",
    "export/saved_model/test_signatures.py",
    "zoo/test_shipped_weights.py",
    "test_hostile_values.py",
    "export/detection/test_tflite.py",
    "zoo/training/test_dry_run.py",
    "export/web/test_page.py",
    "export/checks/test_benchmark.py",
    "export/checks/test_run_artifact.py",
    "export/serving/test_instructions.py",
    "export/serving/test_server.py",
    "export/serving/test_run_requests.py",
    "export/tflite/test_pictures.py",
    "export/test_c_loader.py",
    "lambda_keras/test_explain.py",
    "test_docs.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Puts the heavy files first, and marks their tests and those that ask for a process before `-m` selects."""
    places = {TESTS / name: place for place, name in enumerate(HEAVY)}
    items.sort(key=lambda item: places.get(item.path, len(HEAVY)))
    for item in items:
        if item.path in places:
            item.add_marker("slow")
        if {"run_python", "warm_python"} & {*item.fixturenames}:
            item.add_marker("process")


def pytest_collection_finish():
    collect_seldom()


@pytest.fixture(scope="session", autouse=True)
def _seed_of_the_backend():
    import keras

    keras.utils.set_random_seed(0)
    compile_at_once()


@pytest.fixture(autouse=True)
def _seed(_seed_of_the_backend):
    # Not keras.utils.set_random_seed: TensorFlow forgets all that it has compiled when its seed is set. What Keras
    # draws without a seed of its own (weights, dropout) starts from Python's generator.
    random.seed(0)
    np.random.seed(0)


@pytest.fixture
def layers_run_eagerly(monkeypatch):
    """A list that gets, for each call of a lambda layer from now on, whether it is eager rather than of a graph."""
    import tensorflow as tf

    from lambda_keras.layers import LambdaLayer

    calls, original = [], LambdaLayer.call

    # Keras reads the names of the arguments.
    @functools.wraps(original)
    def call(self, *arguments, **named):
        calls.append(tf.executing_eagerly())
        return original(self, *arguments, **named)

    monkeypatch.setattr(LambdaLayer, "call", call)
    return calls


@pytest.fixture
def class_index(tmp_path, monkeypatch):
    """The folder of a class index like Keras', in a cache of its own, offline; the names are `class_0` and so on."""
    from lambda_keras.applications import imagenet

    folder = tmp_path / "cache" / "imagenet_class_index"
    folder.mkdir(parents=True)
    # In the order of the file's keys, 10 comes before 2.
    index = {str(label): [f"n{label:08}", f"class_{label}"] for label in sorted(range(1000), key=str)}
    (folder / imagenet.CLASS_INDEX).write_text(json.dumps(index))
    digest = hashlib.md5((folder / imagenet.CLASS_INDEX).read_bytes()).hexdigest()
    monkeypatch.setattr(imagenet, "CLASS_INDEX_MD5", digest)
    monkeypatch.setenv("LAMBDA_KERAS_CACHE", str(folder.parent))
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    imagenet.class_names.cache_clear()
    yield folder
    imagenet.class_names.cache_clear()


@pytest.fixture(scope="session")
def warm_python():
    """Words that stand for the interpreter in a command; the process has imported TensorFlow and zoo already.

    It is forked by a server, `tests/fork_server.py`, which starts with the first test that asks for it.
    """
    with tempfile.TemporaryDirectory(prefix="fork-") as folder, open(f"{folder}/log", "w") as log:
        address = pathlib.Path(folder, "socket")
        server = subprocess.Popen(
            [sys.executable, TESTS / "fork_server.py", address], cwd=ROOT, stdin=subprocess.PIPE, stderr=log
        )
        while not address.exists():
            assert server.poll() is None, pathlib.Path(log.name).read_text()
            time.sleep(0.1)
        yield [sys.executable, "-IS", str(TESTS / "forked_python.py"), str(address)]
        server.stdin.close()
        server.wait()


@pytest.fixture(scope="session")
def run_python(request):
    """Runs a script in a process of its own and returns what it printed; a failure shows its traceback.

    The process is a warm one (see `warm_python`), unless it is for another backend of Keras or the test is of what a
    fresh interpreter does: `cold=True`.
    """

    def run(script, *arguments, cold=False, **environment):
        backend = environment.get("KERAS_BACKEND", "tensorflow")
        is_cold = cold or backend != "tensorflow"
        python = [sys.executable] if is_cold else request.getfixturevalue("warm_python")
        process = subprocess.run(
            [*python, "-c", script, *map(str, arguments)],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert process.returncode == 0, process.stderr[-4000:]
        return process.stdout

    return run
