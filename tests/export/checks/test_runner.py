import importlib.util
import itertools
import subprocess

import numpy as np
import pytest

from lambda_keras.export.checks import runner
from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.checks.runner import ModelRunner, check_images, median_seconds, start
from lambda_keras.export.checks.runtimes import RUNTIMES
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.errors import UserError


def probabilities(artifact, images, folder, batch_size):
    """What an artifact says of images, one batch after the other."""
    np.save(folder / "images.npy", images)
    with start(artifact) as process:
        starts = range(0, len(images), batch_size)
        return np.concatenate([process.run(folder / "images.npy", n, n + batch_size)[0] for n in starts])


@pytest.fixture(scope="module")
def digits_server_model(digits_model, digits_record, folder):
    return export_saved_model(digits_model, folder / "digits_server_model", digits_record)


@pytest.mark.parametrize("kind", ["saved_model", "tflite"])
def test_an_artifact_says_what_the_model_says(model, images, request, tmp_path, kind):
    result = probabilities(Artifact(kind, request.getfixturevalue(kind)), images, tmp_path, batch_size=3)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, model.predict(images, verbose=0), atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("trained", [False, True], ids=["random", "digits"])
def test_other_runtimes_say_what_the_model_says(
    model, digits_model, server_model, digits_server_model, raw_images, normalised, digits_test, trained, runtime,
    tmp_path,
):  # fmt: skip
    """Of the SavedModel with all its signatures, strings among them."""
    for package in RUNTIMES[runtime]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    if trained:
        path, raw, expected = digits_server_model, digits_test.images[:64], digits_model(digits_test.normalised(0, 64))
    else:
        path, raw, expected = server_model, raw_images, model(normalised)
    result = probabilities(Artifact(runtime, path), raw, tmp_path, batch_size=24)
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["int8", "int8-float-io"])
def test_int8_is_hidden_from_the_caller(digits_model, digits_test, quantized, kind, tmp_path):
    """Images go in as floats and probabilities come out as such, whatever the file takes."""
    images = digits_test.normalised(0, 64)
    result = probabilities(Artifact("tflite", quantized[kind]), images, tmp_path, batch_size=32)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.sum(-1), 1, atol=0.05)
    assert np.abs(result - digits_model.predict(images, verbose=0)).mean() < 0.01


def test_a_fixed_batch_is_filled_up(plain_model, tmp_path):
    """Seven images in batches of three: the last is filled, and what is said of the filling dropped."""
    path = export_tflite(plain_model, tmp_path / "model.tflite", batch_size=3)
    images = np.random.default_rng(0).normal(size=(7, 4, 4, 3)).astype("float32")
    result = probabilities(Artifact("tflite", path), images, tmp_path, batch_size=3)
    np.testing.assert_allclose(result, plain_model.predict(images, verbose=0), atol=1e-6)


def test_the_model_is_asked_in_the_same_way(plain_model, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype="uint8")
    np.save(tmp_path / "images.npy", images)
    original = ModelRunner(plain_model, "model.keras", load_seconds=1.5)
    result, seconds = original.run(tmp_path / "images.npy", 3, 9)
    np.testing.assert_allclose(result, plain_model.predict(images[3:], verbose=0), atol=1e-6)
    assert seconds > 0
    assert original.shape == [None, 4, 4, 3]


def test_a_damaged_artifact_is_one_line(tmp_path):
    (tmp_path / "broken.tflite").write_text("hello")
    with (
        pytest.raises(UserError, match=r"broken.tflite does not run \(exit status 1\): ValueError") as raised,
        start(Artifact("tflite", tmp_path / "broken.tflite")),
    ):
        pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("requests", [1, 2])
def test_a_process_that_ended_is_one_line(tflite, images, tmp_path, requests):
    """The first request may still find the pipe open; a later one does not."""
    np.save(tmp_path / "images.npy", images)
    with start(Artifact("tflite", tflite)) as process:
        process._process.kill()
        for _ in range(requests):
            with pytest.raises(UserError, match=r"does not run \(exit status -9\): no message"):
                process.run(tmp_path / "images.npy", 0, 1)


def test_the_process_ends_with_the_block(tflite, monkeypatch):
    started = []

    def popen(*arguments, **options):
        started.append(subprocess_popen(*arguments, **options))
        return started[-1]

    subprocess_popen = subprocess.Popen
    monkeypatch.setattr(runner.subprocess, "Popen", popen)
    with pytest.raises(RuntimeError, match="of the block"), start(Artifact("tflite", tflite)):  # noqa: PT012
        assert started[0].poll() is None
        raise RuntimeError("of the block")
    assert started[0].poll() is not None


def test_images_of_another_size_are_refused(plain_model):
    original = ModelRunner(plain_model, "model.keras", load_seconds=0)
    check_images(original, (4, 4, 3))
    with pytest.raises(UserError, match=r"model.keras takes images \[4, 4, 3\], got \[4, 5, 3\]"):
        check_images(original, (4, 5, 3))


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
