"""Write a model as a numbered version in a folder that a model server watches."""

import os
from pathlib import Path

import keras

from export.scratch import scratch_folder
from export.signatures import ServedClassifier
from zoo.errors import UserError


def versions(folder: Path) -> list[Path]:
    """The version folders inside `folder` (their names are numbers), oldest first."""
    numbered = [path for path in folder.iterdir() if path.name.isdecimal()]
    return sorted(numbered, key=lambda path: int(path.name))


def export_saved_model(model: keras.Model, folder: Path) -> Path:
    """Writes `model` as the next version in `folder`.

    It is written beside and renamed when it is whole: a server that watches `folder` never sees half a model.

    Args:
        model: A classifier, as `zoo.load.load_classifier` returns it.
        folder: The folder of the versions; made if it is missing.

    Returns:
        The new version's folder: `folder/<number>`, one above the highest that is there.

    Raises:
        UserError: `folder` cannot be written to.

    Example:
        >>> model = load_classifier(Path("runs/digits/model.keras"))  # doctest: +SKIP
        >>> export_saved_model(model, Path("runs/digits/saved_model"))  # doctest: +SKIP
        PosixPath('runs/digits/saved_model/1')
    """
    with scratch_folder(folder) as scratch:
        ServedClassifier(model).save(scratch / "saved_model")
        existing = versions(folder)
        version = folder / str(int(existing[-1].name) + 1 if existing else 1)
        try:
            os.rename(scratch / "saved_model", version)
        except OSError as error:
            raise UserError(f"cannot write {version}: {error.strerror}") from error
    return version
