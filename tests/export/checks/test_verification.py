import tempfile

import numpy as np
import pytest

from lambda_keras.export.checks.artifact import Artifact, find_artifact
from lambda_keras.export.checks.runner import ModelRunner
from lambda_keras.export.checks.verification import Comparison, Verification, compare, verify
from lambda_keras.export.images.labelled import LabelledImages, load_labelled_images
from lambda_keras.export.tflite.quantization import BOUNDS
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.errors import UserError
from tests.little_room import little_room


def original(model):
    return ModelRunner(model, "model.keras", load_seconds=1.5)


def test_compare_by_hand():
    expected = np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]])
    result = np.array([[0.4, 0.6, 0.0], [0.1, 0.2, 0.7]])
    comparison = compare(expected, result, labels=np.array([1, 0]))
    assert comparison.largest_difference == pytest.approx(0.1)
    assert comparison.mean_difference == pytest.approx(0.2 / 6)
    assert comparison.agreement == 0.5
    assert comparison.accuracy == 0.5
    assert comparison.accuracy_loss == -0.5
    assert not comparison.passes(BOUNDS["none"])
    assert not comparison.passes(BOUNDS["dynamic"]), "one of two classes agrees"


@pytest.mark.parametrize(
    ("difference", "passed"), [(0.0, True), (1e-4, True), (1.01e-4, False), (np.nan, False), (np.inf, False)]
)
def test_the_threshold(difference, passed):
    assert Comparison(difference, 0.0, 1.0, 1.0, 0.0).passes(BOUNDS["none"]) is passed


@pytest.mark.parametrize(("lost", "passed"), [(-1, True), (0, True), (1, True), (2, False)])
def test_the_threshold_of_the_accuracy(lost, passed):
    """One image of 200 is half a point, which is allowed."""
    labels = np.zeros(200, int)
    right, wrong = [0.6, 0.4], [0.4, 0.6]
    expected = np.array([right] * 190 + [wrong] * 10)
    result = np.array([right] * (190 - lost) + [wrong] * (10 + lost))
    assert compare(expected, result, labels).passes(BOUNDS["int8"]) is passed


@pytest.mark.parametrize("kind", BOUNDS)
def test_the_threshold_of_the_agreement(kind):
    """31 of 36 images with the model's class, 86 %, and not one less of the right ones."""
    assert Comparison(0.0, 0.0, 0.9, 0.8, 0.0).passes(BOUNDS[kind])
    assert not Comparison(0.0, 0.0, 31 / 36, 0.8, 0.0).passes(BOUNDS[kind])


def test_nan_never_passes():
    nan = np.full((2, 3), np.nan)
    assert not compare(nan, nan, labels=np.array([0, 0])).passes(BOUNDS["int8"])


def test_every_artifact_must_pass():
    artifact = Artifact("tflite", None)
    good, bad = Comparison(0.0, 0.0, 1.0, 1.0, 0.0), Comparison(0.5, 0.1, 0.5, 0.5, 0.5)
    assert Verification(1.0, [good, good], [], 3).passes([artifact, artifact])
    assert not Verification(1.0, [good, bad], [], 3).passes([artifact, artifact])


def test_quantised_files_pass_by_the_bounds_of_their_kind(digits_model, digits_test, quantized):
    """Accuracy too, which is within half a point."""
    artifacts = [find_artifact(path) for path in quantized.values()]
    assert [artifact.quantization for artifact in artifacts] == list(quantized)
    verification = verify(original(digits_model), digits_test, artifacts)
    assert verification.accuracy > 0.95
    assert verification.passes(artifacts)
    for artifact, result in zip(artifacts, verification.comparisons, strict=True):
        assert result.agreement > 0.98, (artifact, result)


def test_costs_are_of_one_image_or_of_the_fixed_batch(plain_model, tmp_path):
    data = LabelledImages(
        np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype="uint8"),
        np.zeros(7, int),
        np.full(3, 0.5, "float32"),
        np.full(3, 0.25, "float32"),
    )
    artifacts = [
        Artifact("tflite", export_tflite(plain_model, tmp_path / "any.tflite")),
        Artifact("tflite", export_tflite(plain_model, tmp_path / "three.tflite", batch_size=3)),
    ]
    verification = verify(original(plain_model), data, artifacts)
    assert verification.passes(artifacts)
    assert [cost.batch_size for cost in verification.costs] == [1, 1, 3]
    assert all(cost.latency_seconds > 0 for cost in verification.costs)
    assert verification.costs[0].load_seconds > 1.5, "the first answer too"


def test_a_broken_artifact_is_named(model, data_file, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_text("hello")
    data = load_labelled_images(data_file, model)
    with pytest.raises(UserError, match=r"broken.tflite does not run") as raised:
        verify(original(model), data, [Artifact("tflite", broken)])
    assert "\n" not in str(raised.value)


def test_a_full_temporary_folder_is_one_line(model, data_file, tflite, tmp_path, monkeypatch):
    """Not the status 1 of a difference, nor the end of the process as by a memory map."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data = load_labelled_images(data_file, model)
    with little_room(), pytest.raises(UserError, match=rf"cannot write to the temporary folder {tmp_path}: "):
        verify(original(model), data, [Artifact("tflite", tflite)])
    assert list(tmp_path.iterdir()) == []
