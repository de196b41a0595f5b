"""Artifacts in fresh processes, one for each runtime, and the model in this one.

They are asked by turns, so that all meet the same machine.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.export.files import temporary_folder
from lambda_keras.export.model import load
from lambda_keras.export.tflite.signatures import ServedClassifier
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.model_kinds import ModelSource
from lambda_keras.zoo.models.record import Record

PROGRAM = Path(__file__).with_name("run_artifact.py")
RESULTS = "results"
ERRORS = "errors.log"
LEAST_ROUNDS = 3
MOST_ROUNDS = 25
# No more rounds are begun after this many seconds.
MOST_SECONDS = 10


class ModelRunner:
    """The original model in this process, as one TensorFlow function.

    Args:
        model: A classifier, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        name: What to call it in tables.
        load_seconds: How long it took to load.

    Attributes:
        shape: The images that it takes: [batch, height, width, channels], `None` for what may be any number.
    """

    def __init__(self, model: keras.Model, name: str, load_seconds: float):
        self.model, self.name, self.load_seconds = model, name, load_seconds
        self.shape = [None, *model.input_shape[1:]]
        self._function = ServedClassifier(model).probabilities

    def run(self, images_path: Path, start: int, stop: int) -> tuple[np.ndarray, float]:
        """Runs images as one batch.

        Args:
            images_path: An .npy file: [n, height, width, channels], as the model takes them.
            start: The first image.
            stop: The one after the last; more than there are is all of them.

        Returns:
            float32 [images, classes] and the seconds that it took, without reading the file.
        """
        images = np.load(images_path, mmap_mode="r", allow_pickle=False)[start:stop].astype("float32")
        begin = time.perf_counter()
        probabilities = self._function(images)["probabilities"].numpy()
        return probabilities, time.perf_counter() - begin


def load_original(source: ModelSource, image_size: int | None = None) -> tuple[ModelRunner, Record | None]:
    """Loads the model that artifacts are compared with, and its record if it has one.

    Args:
        source: Where it was found.
        image_size: Side of the images that it is to take, if not those it was made for.

    Raises:
        UserError: As `lambda_keras.export.model.load`.
    """
    begin = time.perf_counter()
    model, record = load(source, image_size)
    return ModelRunner(model, source.name, time.perf_counter() - begin), record


class Stranger:
    """A fresh interpreter, without our packages and keras, in which one runtime holds artifacts; see `run_artifact.py`.

    Args:
        process: The interpreter.
        folder: Where it writes `RESULTS`, and its messages to `ERRORS`.
    """

    def __init__(self, process: subprocess.Popen, folder: Path):
        self._process, self._folder = process, folder

    def load(self, artifact: Artifact) -> dict:
        """Loads an artifact, which stays.

        Returns:
            `load_seconds` and, but for a detector, the `shape` of the images that it takes.

        Raises:
            UserError: It cannot be loaded.
        """
        return self._ask(artifact, {"load_detector" if artifact.is_detector else "load": str(artifact.path.resolve())})

    def run(self, artifact: Artifact, images_path: Path, start: int, stop: int) -> tuple[np.ndarray, float]:
        """Runs images through an artifact that is loaded; see `ModelRunner.run`.

        Raises:
            UserError: The artifact fails.
        """
        request = {"run": str(artifact.path.resolve()), "images": str(images_path.resolve())}
        seconds = self._ask(artifact, {**request, "start": start, "stop": stop})["seconds"]
        return np.load(self._folder / RESULTS, allow_pickle=False), seconds

    def ask(
        self, artifact: Artifact, images_path: Path, clients: int, seconds: float, batching: Mapping[str, int] | None
    ) -> tuple[np.ndarray, float]:
        """Lets clients ask an artifact that is loaded; see `ArtifactRunner.ask`.

        Raises:
            UserError: The artifact fails.
        """
        request = {"ask": str(artifact.path.resolve()), "images": str(images_path.resolve()), "clients": clients}
        seconds = self._ask(artifact, {**request, "seconds": seconds, "batching": batching})["seconds"]
        return np.load(self._folder / RESULTS, allow_pickle=False), seconds

    def detect(self, artifact: Artifact, picture_path: Path) -> tuple[dict[str, np.ndarray], float]:
        """Finds the objects of a picture with a detector that is loaded; see `DetectorRunner.detect`.

        Raises:
            UserError: The artifact fails.
        """
        request = {"detect": str(artifact.path.resolve()), "picture": str(picture_path.resolve())}
        seconds = self._ask(artifact, request)["seconds"]
        with np.load(self._folder / RESULTS, allow_pickle=False) as archive:
            return dict(archive), seconds

    def _ask(self, artifact, request):
        process, errors = self._process, self._folder / ERRORS
        # Both are pipes.
        assert process.stdin is not None
        assert process.stdout is not None
        # What is said before is not about this artifact.
        said = errors.stat().st_size
        # A process that has ended takes no request; that it gives no answer says so.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
        line = process.stdout.readline()
        if not line:
            status = process.wait()
            messages = errors.read_bytes()[said:].decode(errors="replace").strip().splitlines() or ["no message"]
            raise UserError(f"{artifact} does not run (exit status {status}): {messages[-1]}")
        return json.loads(line)


class ArtifactRunner:
    """A classifier that a stranger has loaded, as `start` gives it; otherwise as `ModelRunner`."""

    def __init__(self, artifact: Artifact, stranger: Stranger):
        self.artifact, self.name, self._stranger = artifact, str(artifact), stranger
        loaded = stranger.load(artifact)
        self.load_seconds, self.shape = loaded["load_seconds"], loaded["shape"]

    def run(self, images_path: Path, start: int, stop: int) -> tuple[np.ndarray, float]:
        """Runs images as one batch; see `ModelRunner.run`. A batch of fixed size is filled up with zeros.

        Raises:
            UserError: The artifact fails.
        """
        return self._stranger.run(self.artifact, images_path, start, stop)

    def ask(
        self, images_path: Path, clients: int, seconds: float, batching: Mapping[str, int] | None = None
    ) -> tuple[np.ndarray, float]:
        """Lets clients ask at the same time, each for one image after the other.

        Args:
            images_path: As for `run`.
            clients: How many.
            seconds: For how long.
            batching: Arguments of `lambda_keras.export.checks.clients.batched_latencies`; by default each request runs
                by itself.

        Returns:
            float64 [requests], the seconds that each took, and the seconds that all took together.

        Raises:
            UserError: The artifact fails.
        """
        return self._stranger.ask(self.artifact, images_path, clients, seconds, batching)


class DetectorRunner:
    """A detector that a stranger has loaded, as `start_detectors` gives it."""

    def __init__(self, artifact: Artifact, stranger: Stranger):
        self.artifact, self.name, self._stranger = artifact, str(artifact), stranger
        self.load_seconds = stranger.load(artifact)["load_seconds"]

    def detect(self, picture_path: Path) -> tuple[dict[str, np.ndarray], float]:
        """Finds the objects of a picture.

        Args:
            picture_path: An .npz file, see `run_artifact.py`.

        Returns:
            What the artifact returns, without the dimension of the batch, and the seconds that it took, without
            reading the picture's arrays.

        Raises:
            UserError: The artifact fails.
        """
        return self._stranger.detect(self.artifact, picture_path)


Runner = ModelRunner | ArtifactRunner


@contextlib.contextmanager
def start(artifacts: Sequence[Artifact]) -> Iterator[list[ArtifactRunner]]:
    """Lets strangers load classifiers, one stranger for all of a runtime; they stay until the block ends.

    Args:
        artifacts: What they load and run.

    Raises:
        UserError: An artifact cannot be loaded.
    """
    with _strangers() as stranger_of:
        # One after the other: while one is loaded, no other process imports its runtime.
        yield [ArtifactRunner(artifact, stranger_of(artifact)) for artifact in artifacts]


@contextlib.contextmanager
def start_detectors(artifacts: Sequence[Artifact]) -> Iterator[list[DetectorRunner]]:
    """Lets strangers load detectors, as `start` does classifiers.

    Args:
        artifacts: What they load and run.

    Raises:
        UserError: An artifact cannot be loaded.
    """
    with _strangers() as stranger_of:
        yield [DetectorRunner(artifact, stranger_of(artifact)) for artifact in artifacts]


@contextlib.contextmanager
def _strangers() -> Iterator[Callable[[Artifact], Stranger]]:
    """Gives a function that starts the stranger of an artifact's runtime, or returns the one that it has."""
    with contextlib.ExitStack() as stack:
        strangers: dict[str, Stranger] = {}

        def stranger_of(artifact):
            if artifact.kind not in strangers:
                strangers[artifact.kind] = stack.enter_context(_stranger(artifact.kind))
            return strangers[artifact.kind]

        yield stranger_of


@contextlib.contextmanager
def _stranger(kind: str) -> Iterator[Stranger]:
    """Starts one for artifacts of this kind; it is killed when the block ends."""
    with temporary_folder() as folder:
        # -I: no PYTHONPATH, no current folder.
        command = [sys.executable, "-I", str(PROGRAM), kind, str(folder / RESULTS)]
        pipe = subprocess.PIPE
        with (
            # Not a pipe: one that nobody reads fills up and stops the process.
            (folder / ERRORS).open("wb") as errors,
            subprocess.Popen(command, bufsize=0, cwd=folder, stdin=pipe, stdout=pipe, stderr=errors) as process,
        ):
            try:
                yield Stranger(process, folder)
            finally:
                process.kill()


def seconds_by_turns(calls: Sequence[Callable[[], float]], most_rounds: int = MOST_ROUNDS) -> list[list[float]]:
    """Lets calls take turns, one after the other, round after round.

    Args:
        calls: Functions without arguments that return how many seconds they took. Each is called once before, which
            does not count.
        most_rounds: How many rounds, at most; fewer where they would take longer than about `MOST_SECONDS`, at least
            `LEAST_ROUNDS`.

    Returns:
        Of each call, the seconds of each round.
    """
    for call in calls:
        call()
    rounds: list[list[float]] = []
    begin = time.perf_counter()
    while len(rounds) < LEAST_ROUNDS or (len(rounds) < most_rounds and time.perf_counter() - begin < MOST_SECONDS):
        rounds.append([call() for call in calls])
    return [list(seconds) for seconds in zip(*rounds, strict=True)]


def median_seconds(calls: Sequence[Callable[[], float]]) -> tuple[list[float], int]:
    """The median of what `seconds_by_turns` measures of each call, and the number of rounds."""
    measured = seconds_by_turns(calls)
    return [statistics.median(seconds) for seconds in measured], len(measured[0])


def check_images(runner: Runner, shape: Sequence[int]) -> None:
    """Checks that images [height, width, channels] are what a model or an artifact takes.

    Raises:
        UserError: They are not.
    """
    if any(want not in (None, got) for want, got in zip(runner.shape[1:], shape, strict=True)):
        raise UserError(f"{runner.name} takes images {runner.shape[1:]}, got {list(shape)}")
