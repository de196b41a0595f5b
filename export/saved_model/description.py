"""`model.json` beside a SavedModel: what it is, where it comes from and what it was written with."""

import dataclasses
import hashlib
import json
import subprocess
from pathlib import Path

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.model_kinds import ModelSource
from lambda_keras.zoo.models.record import Record

MODEL_DESCRIPTION = "model.json"
ROOT = Path(__file__).parents[2]


def describe(model: keras.Model, record: Record | None = None, source: ModelSource | None = None) -> dict:
    """Collects what `model.json` says; what is not known is `None`.

    Args:
        model: The classifier.
        record: Its record.
        source: Where it was found.

    Returns:
        A dict that JSON can hold: `name` of the model; `weights` with their `source`, the `tag` of published
        ones, and the `sha256` of their file; `preprocessing` inside the signatures, `None` if there is none; the
        number of `classes`; `versions` of packages; `git_commit` of this project, ending in `-dirty` if files were
        changed after it; published `metrics` of the weights, each with its `source`.
    """
    published = source.published if source else None
    return {
        "name": model.name,
        "weights": {
            "source": source.name if source else None,
            "tag": published.tag if published else None,
            "sha256": published.sha256 if published else hash_of_file(Path(source.name) if source else None),
        },
        "preprocessing": _preprocessing(record) if record else None,
        "classes": model.output_shape[-1],
        **written_with(),
        "metrics": [dataclasses.asdict(metric) for metric in published.metrics] if published else [],
    }


def written_with() -> dict:
    """What an artifact is written with: `versions` of packages, and the `git_commit` of this project."""
    return {
        "versions": {"lambda_keras": lk.__version__, "keras": keras.__version__, "tensorflow": tf.__version__},
        "git_commit": _git_commit(),
    }


def _preprocessing(record):
    values = {**dataclasses.asdict(record.preprocessor), "channels": record.preprocessor.channels}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def write_description(folder: Path, description: dict) -> None:
    """Writes `model.json` into `folder`."""
    (folder / MODEL_DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def read_preprocessing(folder: Path) -> dict | None:
    """Reads how the SavedModel in `folder` prepares images itself.

    Returns:
        `preprocessing` of its `model.json`; `None` where it takes images as the model does, or has no `model.json`.

    Raises:
        UserError: `model.json` is damaged, or not ours.
    """
    file = folder / MODEL_DESCRIPTION
    try:
        return json.loads(file.read_bytes())["preprocessing"] if file.is_file() else None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged, or not of `lambda-export saved-model`; export the model again") from error


def finds_objects(folder: Path) -> bool:
    """Whether the SavedModel in `folder` is one of `lambda-export detector`, by its `model.json`."""
    file = folder / MODEL_DESCRIPTION
    try:
        return file.is_file() and "detector" in json.loads(file.read_bytes())
    except (ValueError, TypeError):
        # A damaged file is refused where more is read from it.
        return False


def hash_of_file(path: Path | None) -> str | None:
    """The SHA-256 of a `.keras` file; a folder or what the Hub has under another name has none here."""
    if path is None or not path.is_file():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_commit():
    # Not of a checkout around this one, such as that of a project in whose environment we are installed.
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty"]
    try:
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return process.stdout.strip() or None
