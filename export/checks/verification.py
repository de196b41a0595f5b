"""Compare artifacts, run by strangers, with the model that they came from, on the same images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.checks.runner import ModelRunner, Runner, check_images, median_seconds, start
from lambda_keras.export.files import temporary_folder, write_array
from lambda_keras.export.images.labelled import LabelledImages
from lambda_keras.export.images.normalisation import check_artifact
from lambda_keras.export.tflite.quantization import Bounds
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.record import Record

BATCH_SIZE = 32


@dataclass(frozen=True)
class Comparison:
    """How an artifact's probabilities differ from the model's; shares are 0..1, and a loss below 0 is a gain."""

    largest_difference: float
    mean_difference: float
    agreement: float
    accuracy: float
    accuracy_loss: float

    def passes(self, bounds: Bounds) -> bool:
        """Whether probabilities, accuracy and agreement are within the bounds; NaN never is."""
        return (
            self.largest_difference <= bounds.largest_difference
            and self.accuracy_loss <= bounds.accuracy_loss
            and self.agreement >= bounds.agreement
        )


@dataclass(frozen=True)
class Cost:
    """What a model or an artifact costs.

    Attributes:
        load_seconds: From its file to the answer for a first batch, without importing the runtime.
        batch_size: Images in a batch: one, unless the artifact takes batches of another size only.
        latency_seconds: The median for a batch.
    """

    load_seconds: float
    batch_size: int
    latency_seconds: float


@dataclass(frozen=True)
class Verification:
    """The result of `verify`.

    Attributes:
        accuracy: The model's, 0..1.
        comparisons: One for each artifact.
        costs: The model's, then one for each artifact.
        rounds: How often latencies were measured.
    """

    accuracy: float
    comparisons: list[Comparison]
    costs: list[Cost]
    rounds: int

    def passes(self, artifacts: list[Artifact]) -> bool:
        """Whether each artifact is within the bounds of its kind."""
        pairs = zip(self.comparisons, artifacts, strict=True)
        return all(comparison.passes(artifact.bounds) for comparison, artifact in pairs)


def verify(
    original: ModelRunner, data: LabelledImages, artifacts: list[Artifact], record: Record | None = None
) -> Verification:
    """Runs the model and every artifact over all images, then measures how long they take for one.

    Args:
        original: The model.
        data: The images and their labels.
        artifacts: What to compare with it.
        record: The model's record; what artifacts say of how they normalise images is compared with it.

    Raises:
        UserError: An artifact says that images are normalised otherwise, does not run, takes images of another shape,
            or returns another shape than the model; or the temporary files find no room.
    """
    with temporary_folder() as folder, start(artifacts) as runners:
        raw, normalised = folder / "raw.npy", folder / "normalised.npy"
        write_array(raw, data.images.shape, "uint8", [data.images])
        # A part at a time: as floats all may be more than the memory holds.
        starts = range(0, len(data.images), BATCH_SIZE)
        parts = (data.normalised(begin, begin + BATCH_SIZE) for begin in starts)
        write_array(normalised, data.images.shape, "float32", parts)
        images: dict[Runner, Path] = {original: normalised}
        for exported in runners:
            # After its runtime has found the file sound.
            check_artifact(exported.artifact, record)
            images[exported] = raw if exported.artifact.takes_pixels() else normalised
        for runner in images:
            check_images(runner, data.images.shape[1:])
        load_seconds = [runner.load_seconds + _time_of_a_batch(runner, path) for runner, path in images.items()]
        expected, *results = [_run_all(runner, path, len(data.images)) for runner, path in images.items()]
        for artifact, result in zip(artifacts, results, strict=True):
            if result.shape != expected.shape:
                raise UserError(f"{artifact} returns {result.shape}, the model {expected.shape}")
        calls = [lambda runner=runner, path=path: _time_of_a_batch(runner, path) for runner, path in images.items()]
        latencies, rounds = median_seconds(calls)
    costs = zip(load_seconds, [runner.shape[0] or 1 for runner in images], latencies, strict=True)
    return Verification(
        accuracy=_accuracy(expected, data.labels),
        comparisons=[compare(expected, result, data.labels) for result in results],
        costs=[Cost(*values) for values in costs],
        rounds=rounds,
    )


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


def _run_all(runner: Runner, images_path: Path, count: int) -> np.ndarray:
    batch_size = runner.shape[0] or BATCH_SIZE
    batches = [runner.run(images_path, begin, begin + batch_size)[0] for begin in range(0, count, batch_size)]
    return np.concatenate(batches)


def _time_of_a_batch(runner: Runner, images_path: Path) -> float:
    """Seconds for one image, or for as many as a batch must have."""
    return runner.run(images_path, 0, runner.shape[0] or 1)[1]
