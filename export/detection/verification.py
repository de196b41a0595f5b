"""Compare artifacts of a detector, run by strangers, with the detector that they came from, in the same pictures."""

import functools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lambda_keras.export.checks.artifact import TFLITE, Artifact
from lambda_keras.export.checks.runner import DetectorRunner, median_seconds, start_detectors
from lambda_keras.export.checks.verification import Cost
from lambda_keras.export.files import temporary_folder
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.data.images.image_bytes import ImageFileError
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS
from lambda_keras.zoo.detection.data import pictures
from lambda_keras.zoo.detection.loading import Detector, load
from lambda_keras.zoo.detection.predict import Predictor
from lambda_keras.zoo.errors import UserError


@dataclass(frozen=True)
class Bounds:
    """How far what an artifact finds may be from what its detector does.

    Attributes:
        box: Of an edge of a box, in pixels of the picture.
        score: Of a score.
        mask: Of a probability in a mask.
    """

    box: float
    score: float = 1e-4
    mask: float = 1e-4


# LiteRT has kernels of its own, which round otherwise.
SAVED_MODEL_BOUNDS, TFLITE_BOUNDS = Bounds(box=1e-3), Bounds(box=1e-2)


def bounds_of(artifact: Artifact) -> Bounds:
    """By what an artifact is judged.

    Args:
        artifact: A detector.
    """
    return TFLITE_BOUNDS if artifact.kind == TFLITE else SAVED_MODEL_BOUNDS


class Objects(NamedTuple):
    """The objects of one picture; arrays, but for the names.

    Attributes:
        names: Of each the name of its class.
        boxes: `[objects, 4]`, in pixels of the picture.
        scores: `[objects]`.
        masks: `[objects, 28, 28]`; `None` of a detector without masks.
    """

    names: list[str]
    boxes: np.ndarray
    scores: np.ndarray
    masks: np.ndarray | None


@dataclass
class Comparison:
    """How what an artifact finds differs from what its detector does, picture after picture.

    Attributes:
        objects: How many the artifact has found.
        alone: How many of its objects and of the detector's have no counterpart of their class.
        box: The largest difference of an edge of a box, in pixels of the picture.
        score: The largest difference of a score.
        mask: The largest difference of a probability in a mask; `None` where there are no masks.
    """

    objects: int = 0
    alone: int = 0
    box: float = 0.0
    score: float = 0.0
    mask: float | None = None

    def add(self, expected: Objects, found: Objects) -> None:
        """Compares a picture: each object with the nearest of its class that has no counterpart yet.

        Not row by row: two objects of all but the same score may change places by rounding.

        Args:
            expected: What the detector finds.
            found: What the artifact finds.
        """
        left = set(range(len(found.scores)))
        self.objects += len(left)
        for row, name in enumerate(expected.names):
            distances = {other: _largest(expected.boxes[row], found.boxes[other]) for other in left}
            distances = {other: value for other, value in distances.items() if found.names[other] == name}
            if not distances:
                self.alone += 1
                continue
            nearest = min(distances, key=lambda other: distances[other])
            left.remove(nearest)
            # NaN is larger than all: of Python's `max` it depends on the order.
            self.box = float(np.max([self.box, distances[nearest]]))
            self.score = float(np.max([self.score, abs(float(expected.scores[row]) - float(found.scores[nearest]))]))
            if expected.masks is not None and found.masks is not None:
                self.mask = float(np.max([self.mask or 0.0, _largest(expected.masks[row], found.masks[nearest])]))
        self.alone += len(left)

    def passes(self, bounds: Bounds) -> bool:
        """Whether the same objects are found, within the bounds; NaN never is.

        Args:
            bounds: By what it is judged.
        """
        return (
            self.alone == 0
            and self.box <= bounds.box
            and self.score <= bounds.score
            and (self.mask is None or self.mask <= bounds.mask)
        )


@dataclass(frozen=True)
class Verification:
    """The result of `verify`.

    Attributes:
        pictures: How many were compared.
        unreadable: How many more could not be decoded.
        objects: How many the detector has found in them.
        comparisons: One for each artifact.
        costs: The detector's, then one for each artifact.
        rounds: How often latencies were measured.
    """

    pictures: int
    unreadable: int
    objects: int
    comparisons: list[Comparison]
    costs: list[Cost]
    rounds: int

    def passes(self, artifacts: Sequence[Artifact]) -> bool:
        """Whether each artifact is within its bounds.

        Args:
            artifacts: Those of the verification.
        """
        pairs = zip(self.comparisons, artifacts, strict=True)
        return all(comparison.passes(bounds_of(artifact)) for comparison, artifact in pairs)


class Original:
    """The detector in this process.

    Args:
        detector: A `lambda_keras.zoo.detection.loading.Detector`.
        load_seconds: How long it took to load.
    """

    def __init__(self, detector: Detector, load_seconds: float):
        self.detector, self.load_seconds = detector, load_seconds
        self.names = ("", *detector.record.class_names)
        self._predictor = Predictor(detector)

    def find(self, encoded: bytes, name: str) -> tuple[Objects, float]:
        """Finds the objects of a file, and returns the seconds that it took.

        Args:
            encoded: The bytes of the file.
            name: What to call it in messages.

        Raises:
            UserError: It cannot be decoded.
        """
        begin = time.perf_counter()
        found = self._predictor.find(encoded, name, MOST_SERVED_PIXELS)
        seconds = time.perf_counter() - begin
        return Objects([self.names[label] for label in found.classes], found.boxes, found.scores, found.masks), seconds


def load_original(source: str) -> Original:
    """Loads the detector that artifacts are compared with.

    Args:
        source: As `lambda_keras.zoo.detection.loading.load` takes it.

    Raises:
        UserError: As `lambda_keras.zoo.detection.loading.load`.
    """
    begin = time.perf_counter()
    detector = load(source)
    return Original(detector, time.perf_counter() - begin)


def verify(
    original: Original, files: Iterator[tuple[str, bytes | ImageFileError]], artifacts: Sequence[Artifact]
) -> Verification:
    """Lets the detector and every artifact find the objects of all pictures, then measures how long they take for one.

    Args:
        original: The detector.
        files: Names and bytes of the pictures' files, as from `lambda_keras.export.detection.picture_files.read_files`.
        artifacts: What to compare with it.

    Raises:
        UserError: No picture can be decoded, the detector finds nothing in them, or an artifact does not run, cannot
            read a picture that the detector reads, or finds masks where the detector does not.
    """
    comparisons = [Comparison() for _ in artifacts]
    count = unreadable = objects = 0
    first: tuple[str, bytes] | None = None
    with temporary_folder() as folder, start_detectors(artifacts) as runners:
        picture = folder / "picture.npz"
        load_seconds = [original.load_seconds, *(runner.load_seconds for runner in runners)]
        for name, encoded in files:
            try:
                if isinstance(encoded, ImageFileError):
                    raise encoded
                expected, seconds = original.find(encoded, name)
            except ImageFileError as problem:
                say(f"cannot use {name}: {problem.reason}", file=sys.stderr)
                unreadable += 1
                continue
            _write_picture(picture, encoded, original.detector.image_size)
            times = [seconds]
            for runner, comparison in zip(runners, comparisons, strict=True):
                found, seconds = runner.detect(picture)
                comparison.add(expected, _objects(found, original, runner, name))
                times.append(seconds)
            if first is None:
                first = name, encoded
                load_seconds = [sum(pair) for pair in zip(load_seconds, times, strict=True)]
            count, objects = count + 1, objects + len(expected.scores)
        if first is None:
            raise UserError(f"none of the {unreadable:,} pictures can be decoded; give others with --data")
        if objects == 0 and not any(comparison.alone for comparison in comparisons):
            raise UserError(
                f"nothing is found in the {count:,} pictures, so that there is nothing to compare; give pictures with "
                "objects with --data"
            )
        _write_picture(picture, first[1], original.detector.image_size)
        calls: list[Callable[[], float]] = [lambda: original.find(first[1], first[0])[1]]
        calls += [functools.partial(_time_of, runner, picture) for runner in runners]
        latencies, rounds = median_seconds(calls)
    costs = [Cost(load, 1, latency) for load, latency in zip(load_seconds, latencies, strict=True)]
    return Verification(count, unreadable, objects, comparisons, costs, rounds)


def _time_of(runner: DetectorRunner, picture: Path) -> float:
    return runner.detect(picture)[1]


def _write_picture(path: Path, encoded: bytes, image_size: int) -> None:
    """Writes a picture as its file, for a SavedModel, and resized, for a TFLite file."""
    picture = pictures.read(tf.constant(encoded), image_size, MOST_SERVED_PIXELS)
    np.savez(path, encoded=np.frombuffer(encoded, "uint8"), image=picture.image.numpy(), size=picture.size.numpy())


def _objects(found: dict[str, np.ndarray], original: Original, runner: DetectorRunner, name: str) -> Objects:
    """What an artifact has returned, without the rows that have no object."""
    if not found.get("valid", True):
        raise UserError(
            f"{runner.name} cannot read {name}, which the detector reads; export it with a larger --most-pixels, or "
            "leave the picture out"
        )
    if ("masks" in found) != original.detector.record.has_masks:
        raise UserError(f"{runner.name} has masks and its detector none, or the other way round; export it again")
    classes = found["classes"]
    if classes.dtype.kind == "S":
        names = [name.decode() for name in classes]
    else:
        # Of a class that the detector has not, the number.
        names = [original.names[label] if 0 <= label < len(original.names) else str(label) for label in classes]
    rows = np.flatnonzero(classes.astype(bool))
    masks = found["masks"][rows] if "masks" in found else None
    return Objects([names[row] for row in rows], found["boxes"][rows], found["scores"][rows], masks)


def _largest(expected: np.ndarray, found: np.ndarray) -> float:
    return float(np.abs(expected.astype("float64") - found).max())
