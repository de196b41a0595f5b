import numpy as np
import pytest

from export.labelled_images import load_labelled_images
from export.quantization import BOUNDS
from export.verify import Artifact, Comparison, compare, find_artifact, table, verify
from zoo.errors import UserError


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
    assert comparison.passes(BOUNDS["dynamic"])


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


def test_nan_never_passes():
    nan = np.full((2, 3), np.nan)
    assert not compare(nan, nan, labels=np.array([0, 0])).passes(BOUNDS["int8"])


def test_of_versions_the_newest_is_taken(tmp_path):
    for name in ("2", "10", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert find_artifact(tmp_path) == Artifact("saved_model", tmp_path / "10")
    assert find_artifact(tmp_path / "2") == Artifact("saved_model", tmp_path / "2")


def test_what_is_no_artifact_is_named(tmp_path):
    with pytest.raises(UserError, match="no such artifact"):
        find_artifact(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"expected a .tflite file"):
        find_artifact(tmp_path)
    (tmp_path / "model.onnx").touch()
    with pytest.raises(UserError, match=r"expected a .tflite file"):
        find_artifact(tmp_path / "model.onnx")


def test_quantised_files_pass_by_the_bounds_of_their_kind(digits_model, digits_test, quantized):
    """Accuracy too, which is within half a point; each file in a process of its own."""
    artifacts = [find_artifact(path) for path in quantized.values()]
    assert [artifact.quantization for artifact in artifacts] == list(quantized)
    accuracy, results = verify(digits_model, digits_test, artifacts)
    assert accuracy > 0.95
    for artifact, result in zip(artifacts, results, strict=True):
        assert result.passes(artifact.bounds), (artifact, result)
        assert result.agreement > 0.98


def test_a_broken_artifact_is_named(model, data_file, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_text("hello")
    data = load_labelled_images(data_file, model)
    with pytest.raises(UserError, match=r"broken.tflite does not run") as raised:
        verify(model, data, [Artifact("tflite", broken)])
    assert "\n" not in str(raised.value)


def test_the_table(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(bytes(1_234_567))
    artifact = Artifact("tflite", path)
    results = [Comparison(2e-7, 1e-8, 1.0, 0.975, 0.0), Comparison(0.25, 0.125, 0.5, 0.1, 0.875)]
    rows = [line.split() for line in table(str(path), 0.975, [artifact, artifact], results).splitlines()]
    assert rows[1:] == [
        [str(path), "1.23", "MB", "-", "-", "-", "97.50%", "-"],
        [str(path), "1.23", "MB", "2.0e-07", "1.0e-08", "100.00%", "97.50%", "pass"],
        [str(path), "1.23", "MB", "2.5e-01", "1.2e-01", "50.00%", "10.00%", "FAIL"],
    ]
