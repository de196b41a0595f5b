"""What `lambda-export` has written, found again on disk, and the runtimes that take it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lambda_keras.export.checks.runtimes import RUNTIMES, check_installed
from lambda_keras.export.files import check_loadable
from lambda_keras.export.saved_model import description
from lambda_keras.export.saved_model.writer import versions
from lambda_keras.export.tflite import metadata
from lambda_keras.export.tflite.contents import finds_objects, quantization_of, takes_pictures
from lambda_keras.export.tflite.quantization import BOUNDS, NONE, Bounds
from lambda_keras.weights import Preprocessor, WeightsError
from lambda_keras.zoo.errors import UserError

SAVED_MODEL = "saved_model"
TFLITE = "tflite"
# What must be known where the times of both are compared.
THREADS = "threads: a .tflite file runs on one, the model and SavedModels on all cores."


@dataclass(frozen=True)
class Artifact:
    """An exported model on disk.

    Attributes:
        kind: How `run_artifact.py` runs it: `saved_model`, `tflite`, or a SavedModel in one of
            `lambda_keras.export.checks.runtimes.RUNTIMES`.
        path: The SavedModel's folder or the file.
        quantization: How its numbers are written, one of `lambda_keras.export.tflite.quantization.KINDS`.
        is_detector: Whether it finds objects; otherwise it is a classifier.
        takes_pictures: Whether it is a TFLite file that makes pictures of any size ready itself.
    """

    kind: str
    path: Path
    quantization: str = NONE
    is_detector: bool = False
    takes_pictures: bool = False

    @property
    def bounds(self) -> Bounds:
        """How far it may be from its model."""
        return BOUNDS[self.quantization]

    def preprocessing(self) -> Preprocessor | None:
        """Reads what it says of how its images are prepared: a TFLite file those that it takes, a SavedModel itself.

        Returns:
            `None` where it says nothing, as its model had no record.

        Raises:
            UserError: What it says is damaged.
        """
        read = metadata.read_preprocessing if self.kind == TFLITE else description.read_preprocessing
        values = read(self.path)
        if values is None:
            return None
        try:
            return Preprocessor(**{field.name: values[field.name] for field in dataclasses.fields(Preprocessor)})
        except (KeyError, TypeError, WeightsError) as error:
            raise UserError(f"what {self} says of its images is damaged; export the model again") from error

    def takes_pixels(self) -> bool:
        """Whether it takes images 0..255 and normalises them itself: a SavedModel whose model had a record."""
        return self.kind != TFLITE and self.preprocessing() is not None

    def __str__(self):
        return f"{self.path} in {self.kind}" if self.kind in RUNTIMES else str(self.path)


def find_artifact(path: Path) -> Artifact:
    """Recognises a .tflite file, a SavedModel, or a folder of its versions, of which it takes the newest.

    Raises:
        UserError: It is none of these, a damaged TFLite file, or a SavedModel that TensorFlow cannot load from there.
    """
    if not path.exists():
        raise UserError(f"no such artifact: {path}")
    if path.is_file() and path.suffix == ".tflite":
        return Artifact(TFLITE, path, quantization_of(path), finds_objects(path), takes_pictures(path))
    if path.is_dir():
        newest = [path, *versions(path)][-1]
        if (newest / "saved_model.pb").is_file():
            check_loadable(newest)
            return Artifact(SAVED_MODEL, newest, is_detector=description.finds_objects(newest))
    raise UserError(f"{path}: expected a .tflite file, a SavedModel or a folder of its versions")


def find_artifacts(paths: Sequence[Path]) -> list[Artifact]:
    """Recognises several, as `find_artifact` does.

    Raises:
        UserError: As for `find_artifact`, or two of the paths are the same artifact.
    """
    artifacts = [find_artifact(path) for path in paths]
    seen: dict[Path, Path] = {}
    for path, artifact in zip(paths, artifacts, strict=True):
        other = seen.setdefault(artifact.path.resolve(), path)
        if other is not path:
            raise UserError(f"{artifact} is given twice, as {other} and as {path}; leave one out")
    return artifacts


def check_kind(artifacts: Sequence[Artifact], model_name: str, is_detector: bool) -> None:
    """Refuses classifiers that shall be compared with a detector, and detectors with a classifier.

    Args:
        artifacts: As `find_artifacts` returns them.
        model_name: The model that they are to be compared with.
        is_detector: Whether this is a detector.

    Raises:
        UserError: One of them is of the other kind.
    """
    kinds = {True: "a detector", False: "a classifier"}
    for artifact in artifacts:
        if artifact.is_detector != is_detector:
            raise UserError(
                f"{artifact} is {kinds[artifact.is_detector]}, and {model_name} {kinds[is_detector]}; give the model "
                "that it was exported from"
            )


def refuse_pictures(artifacts: Sequence[Artifact]) -> None:
    """Refuses files that make pictures of any size ready themselves, where images are given that are ready.

    Raises:
        UserError: One of them is such a file.
    """
    for artifact in artifacts:
        if artifact.takes_pictures:
            raise UserError(
                f"{artifact} makes pictures of any size ready itself (--any-size), and the images here are ready; give "
                "the file that the same command writes without --any-size: its network is the same"
            )


def in_runtimes(artifacts: list[Artifact], runtimes: list[str]) -> list[Artifact]:
    """The SavedModels among `artifacts` once more for each of `runtimes`, which run them too.

    Args:
        artifacts: As `find_artifact` returns them.
        runtimes: Names of `lambda_keras.export.checks.runtimes.RUNTIMES`; each counts once.

    Raises:
        UserError: A runtime is not installed, or none of the artifacts is a SavedModel.

    Example:
        >>> [str(artifact) for artifact in in_runtimes([Artifact("saved_model", Path("served/1"))], ["openvino"])]
        ['served/1 in openvino']
    """
    saved_models = [artifact for artifact in artifacts if artifact.kind == SAVED_MODEL]
    if runtimes and not saved_models:
        raise UserError(
            f"--runtime {runtimes[0]} reads SavedModels, got {', '.join(str(artifact.path) for artifact in artifacts)};"
            " add one, or leave out --runtime"
        )
    different = list(dict.fromkeys(runtimes))
    for runtime in different:
        check_installed(runtime)
    return [dataclasses.replace(artifact, kind=runtime) for artifact in saved_models for runtime in different]


def size(path: Path) -> str:
    """The size of a file or of all files in a folder, for people."""
    files = path.rglob("*") if path.is_dir() else [path]
    return f"{sum(file.stat().st_size for file in files if file.is_file()) / 1e6:.2f} MB"
