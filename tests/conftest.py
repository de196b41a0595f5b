"""What all tests share: a quiet TensorFlow, a seed, ImageNet's class names, and `run_python`, a process of its own."""

import hashlib
import json
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
