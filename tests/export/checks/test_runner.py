import importlib.util
import itertools
import shutil
import subprocess

import numpy as np
import pytest

from lambda_keras.export.checks import runner
from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.checks.runner import ERRORS, RESULTS, ModelRunner, check_images, median_seconds, start
from lambda_keras.export.checks.runtimes import RUNTIMES
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.errors import UserError


def is_installed(runtime):
    return all(importlib.util.find_spec(package) for package in RUNTIMES[runtime])


@pytest.fixture(scope="module")
def started():
    """The processes that `start` has started."""
    started = []
    popen = subprocess.Popen

    def remember(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(runner.subprocess, "Popen", remember)
        yield started


@pytest.fixture(scope="module")
def fixed(plain_model, folder):
    """A file that takes three images at once."""
    return export_tflite(plain_model, folder / "three.tflite", batch_size=3)


@pytest.fixture(scope="module")
def artifacts(saved_model, server_model, tflite, fixed, quantized, digits_model, digits_record, folder):
    """By name, all that these tests run."""
    digits = export_saved_model(digits_model, folder / "digits_server_model", digits_record)
    files = {"tflite": tflite, "fixed": fixed, "int8": quantized["int8"], "int8-float-io": quantized["int8-float-io"]}
    artifacts = {"saved_model": Artifact("saved_model", saved_model)}
    artifacts |= {name: Artifact("tflite", path) for name, path in files.items()}
    for runtime in filter(is_installed, RUNTIMES):
        artifacts |= {runtime: Artifact(runtime, server_model), f"{runtime} digits": Artifact(runtime, digits)}
    return artifacts


@pytest.fixture(scope="module")
def probabilities(artifacts, started, tmp_path_factory):
    """What the artifact of this name says of images, one batch after the other."""
    path = tmp_path_factory.mktemp("images") / "images.npy"
    with start(list(artifacts.values())) as runners:
        named = dict(zip(artifacts, runners, strict=True))

        def probabilities(name, images, batch_size):
            if name not in named:
                pytest.skip(f"the packages of {name} are not installed")
            np.save(path, images)
            starts = range(0, len(images), batch_size)
            return np.concatenate([named[name].run(path, n, n + batch_size)[0] for n in starts])

        yield probabilities


def test_each_runtime_has_one_process(artifacts, probabilities, started):
    """Which holds all artifacts of this runtime, and is isolated: no PYTHONPATH, no current folder."""
    commands = [process.args for process in started]
    assert [command[3] for command in commands] == list(dict.fromkeys(each.kind for each in artifacts.values()))
    assert all(command[1] == "-I" for command in commands)


@pytest.mark.parametrize("name", ["saved_model", "tflite"])
def test_an_artifact_says_what_the_model_says(model, images, probabilities, name):
    result = probabilities(name, images, batch_size=3)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, model.predict(images, verbose=0), atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_other_runtimes_say_what_the_model_says(model, raw_images, normalised, probabilities, runtime):
    """Of the SavedModel with all its signatures, strings among them."""
    result = probabilities(runtime, raw_images, batch_size=24)
    np.testing.assert_allclose(result, model(normalised), atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_other_runtimes_say_what_a_trained_model_says(digits_model, digits_test, probabilities, runtime):
    result = probabilities(f"{runtime} digits", digits_test.images[:64], batch_size=24)
    np.testing.assert_allclose(result, digits_model(digits_test.normalised(0, 64)), atol=1e-5)


@pytest.mark.parametrize("kind", ["int8", "int8-float-io"])
def test_int8_is_hidden_from_the_caller(digits_model, digits_test, probabilities, kind):
    """Images go in as floats and probabilities come out as such, whatever the file takes."""
    images = digits_test.normalised(0, 64)
    result = probabilities(kind, images, batch_size=32)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.sum(-1), 1, atol=0.05)
    assert np.abs(result - digits_model.predict(images, verbose=0)).mean() < 0.01


def test_a_fixed_batch_is_filled_up(plain_model, probabilities):
    """Seven images in batches of three: the last is filled, and what is said of the filling dropped."""
    images = np.random.default_rng(0).normal(size=(7, 8, 8, 3)).astype("float32")
    result = probabilities("fixed", images, batch_size=3)
    np.testing.assert_allclose(result, plain_model.predict(images, verbose=0), atol=1e-6)


def test_the_model_is_asked_in_the_same_way(plain_model, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    np.save(tmp_path / "images.npy", images)
    original = ModelRunner(plain_model, "model.keras", load_seconds=1.5)
    result, seconds = original.run(tmp_path / "images.npy", 3, 9)
    np.testing.assert_allclose(result, plain_model.predict(images[3:], verbose=0), atol=1e-6)
    assert seconds > 0
    assert original.shape == [None, 8, 8, 3]


def test_a_damaged_artifact_is_one_line_that_names_it(fixed, tmp_path):
    """Among those that are sound and loaded by the same process."""
    (tmp_path / "broken.tflite").write_text("hello")
    artifacts = [Artifact("tflite", path) for path in (fixed, tmp_path / "broken.tflite")]
    with (
        pytest.raises(UserError, match=r"^\S*broken.tflite does not run \(exit status 1\): ValueError") as raised,
        start(artifacts),
    ):
        pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("requests", [1, 2])
def test_a_process_that_ended_is_one_line_of_the_artifact_that_was_asked(fixed, tmp_path, started, requests):
    """The first request may still find the pipe open; a later one does not. What was said before is of others."""
    np.save(tmp_path / "images.npy", np.zeros((3, 8, 8, 3), "float32"))
    shutil.copy(fixed, tmp_path / "other.tflite")
    with start([Artifact("tflite", path) for path in (fixed, tmp_path / "other.tflite")]) as (first, second):
        first.run(tmp_path / "images.npy", 0, 3)
        with open(started[-1].args[4].replace(RESULTS, ERRORS), "ab") as errors:
            errors.write(b"of what was asked before\n")
        started[-1].kill()
        for _ in range(requests):
            with pytest.raises(UserError, match=r"other.tflite does not run \(exit status -9\): no message"):
                second.run(tmp_path / "images.npy", 0, 3)


def test_the_process_ends_with_the_block(fixed, started):
    with pytest.raises(RuntimeError, match="of the block"), start([Artifact("tflite", fixed)]):  # noqa: PT012
        assert started[-1].poll() is None
        raise RuntimeError("of the block")
    assert started[-1].poll() is not None


def test_images_of_another_size_are_refused(plain_model):
    original = ModelRunner(plain_model, "model.keras", load_seconds=0)
    check_images(original, (8, 8, 3))
    with pytest.raises(UserError, match=r"model.keras takes images \[8, 8, 3\], got \[8, 9, 3\]"):
        check_images(original, (8, 9, 3))


def test_calls_take_turns_and_the_first_of_each_does_not_count():
    order, times = [], {"a": itertools.chain([99], itertools.cycle([1, 2, 9])), "b": itertools.repeat(5)}

    def call(name):
        order.append(name)
        return next(times[name])

    medians, rounds = median_seconds([lambda: call("a"), lambda: call("b")])
    assert medians == [2, 5]
    assert rounds == runner.MOST_ROUNDS
    assert order == ["a", "b"] * (rounds + 1)


def test_slow_calls_get_few_rounds(monkeypatch):
    clock = itertools.count(step=100)
    monkeypatch.setattr(runner.time, "perf_counter", lambda: next(clock))
    assert median_seconds([lambda: 100.0]) == ([100.0], runner.LEAST_ROUNDS)
