"""Compare artifacts with the model that they came from, on the same images, each in a process of its own."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from export.labelled_images import LabelledImages
from export.model_description import has_preprocessing
from export.quantization import BOUNDS, NONE, Bounds
from export.saved_model import versions
from export.tflite_contents import quantization_of
from zoo.errors import UserError

BATCH_SIZE = 32
RUNNER = Path(__file__).with_name("run_artifact.py")


@dataclass(frozen=True)
class Artifact:
    """An exported model on disk: `kind` is what `run_artifact.py` calls it, `saved_model` or `tflite`."""

    kind: str
    path: Path
    quantization: str = NONE

    @property
    def bounds(self) -> Bounds:
        """How far it may be from its model."""
        return BOUNDS[self.quantization]


@dataclass(frozen=True)
class Comparison:
    """How an artifact's probabilities differ from the model's; shares are 0..1, and a loss below 0 is a gain."""

    largest_difference: float
    mean_difference: float
    agreement: float
    accuracy: float
    accuracy_loss: float

    def passes(self, bounds: Bounds) -> bool:
        """Whether probabilities and accuracy are within the bounds; NaN never is."""
        return self.largest_difference <= bounds.largest_difference and self.accuracy_loss <= bounds.accuracy_loss


def find_artifact(path: Path) -> Artifact:
    """Recognises a .tflite file, a SavedModel, or a folder of its versions, of which it takes the newest.

    Raises:
        UserError: It is none of these, or a damaged TFLite file.
    """
    if not path.exists():
        raise UserError(f"no such artifact: {path}")
    if path.is_file() and path.suffix == ".tflite":
        return Artifact("tflite", path, quantization_of(path))
    if path.is_dir():
        newest = [path, *versions(path)][-1]
        if (newest / "saved_model.pb").is_file():
            return Artifact("saved_model", newest)
    raise UserError(f"{path}: expected a .tflite file, a SavedModel or a folder of its versions")


def verify(model: keras.Model, data: LabelledImages, artifacts: list[Artifact]) -> tuple[float, list[Comparison]]:
    """Runs the model and every artifact over all images.

    Args:
        model: The original.
        data: The images and their labels.
        artifacts: What to compare with it.

    Returns:
        The model's accuracy, 0..1, and a comparison for each artifact.

    Raises:
        UserError: An artifact does not run, or returns another shape than the model.
    """
    with tempfile.TemporaryDirectory(prefix="lambda-export-") as name:
        images_path = Path(name) / "images.npy"
        raw_images_path = Path(name) / "raw_images.npy"
        np.save(raw_images_path, data.images)
        expected = _run_model(model, data, images_path)
        results = [
            _run_artifact(artifact, raw_images_path if has_preprocessing(artifact.path) else images_path)
            for artifact in artifacts
        ]
    for artifact, result in zip(artifacts, results, strict=True):
        if result.shape != expected.shape:
            raise UserError(f"{artifact.path} returns {result.shape}, the model {expected.shape}")
    return _accuracy(expected, data.labels), [compare(expected, result, data.labels) for result in results]


def compare(expected: np.ndarray, result: np.ndarray, labels: np.ndarray) -> Comparison:
    """Compares probabilities [n, classes] with the expected ones.

    Args:
        expected: The model's.
        result: The artifact's.
        labels: The true classes [n].

    Example:
        >>> same = np.array([[0.2, 0.8], [0.9, 0.1]])
        >>> compare(same, same, labels=np.array([1, 1]))
        Comparison(largest_difference=0.0, mean_difference=0.0, agreement=1.0, accuracy=0.5, accuracy_loss=0.0)
    """
    difference = np.abs(expected.astype("float64") - result)
    return Comparison(
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        agreement=float(np.mean(expected.argmax(-1) == result.argmax(-1))),
        accuracy=_accuracy(result, labels),
        # Of counts: the difference of two shares has a rounding error, which would decide at the bound.
        accuracy_loss=float((_count_right(expected, labels) - _count_right(result, labels)) / len(labels)),
    )


def _accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(_count_right(probabilities, labels) / len(labels))


def _count_right(probabilities: np.ndarray, labels: np.ndarray) -> int:
    return np.sum(probabilities.argmax(-1) == labels)


def _run_model(model: keras.Model, data: LabelledImages, images_path: Path) -> np.ndarray:
    """The model's probabilities. The images go to a file as the model took them, for others to take."""
    images = np.lib.format.open_memmap(images_path, mode="w+", dtype="float32", shape=data.images.shape)
    results = []
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        batch[:] = data.normalised(start, start + BATCH_SIZE)
        results.append(keras.ops.convert_to_numpy(model(batch, training=False)))
    images.flush()
    return np.concatenate(results).astype("float32")


def _run_artifact(artifact: Artifact, images_path: Path) -> np.ndarray:
    """The artifact's probabilities, from a fresh interpreter (-I: no PYTHONPATH, no current folder)."""
    output = images_path.with_name("probabilities.npy")
    command = [sys.executable, "-I", RUNNER, artifact.kind, artifact.path.resolve(), images_path, output]
    process = subprocess.run(
        [*map(str, command), str(BATCH_SIZE)], cwd=images_path.parent, capture_output=True, text=True
    )
    if process.returncode != 0:
        last_line = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{artifact.path} does not run (exit status {process.returncode}): {last_line}")
    return np.load(output, allow_pickle=False)


def table(model_name: str, accuracy: float, artifacts: list[Artifact], results: list[Comparison]) -> str:
    """The result for people: a row for the model, which may have no file, then one for each artifact."""
    header = "artifact", "size", "largest difference", "mean difference", "top-1 agreement", "accuracy", "verdict"
    size = _size(Path(model_name)) if Path(model_name).exists() else "-"
    rows = [header, (model_name, size, "-", "-", "-", f"{accuracy:.2%}", "-")]
    for artifact, result in zip(artifacts, results, strict=True):
        differences = f"{result.largest_difference:.1e}", f"{result.mean_difference:.1e}"
        shares = f"{result.agreement:.2%}", f"{result.accuracy:.2%}"
        verdict = "pass" if result.passes(artifact.bounds) else "FAIL"
        rows.append((str(artifact.path), _size(artifact.path), *differences, *shares, verdict))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )


def _size(path: Path) -> str:
    files = path.rglob("*") if path.is_dir() else [path]
    return f"{sum(file.stat().st_size for file in files if file.is_file()) / 1e6:.2f} MB"
