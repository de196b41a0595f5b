"""Write a model as a numbered version in a folder that a model server watches."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import keras

from lambda_keras.export.files import check_loadable, scratch_folder
from lambda_keras.export.saved_model.description import describe, write_description
from lambda_keras.export.saved_model.signatures import ServerModel
from lambda_keras.export.saved_model.warmup import check_count, write_warmup
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS
from lambda_keras.zoo.errors import UserError, reason
from lambda_keras.zoo.models.model_kinds import ModelSource
from lambda_keras.zoo.models.record import Record

# What the system says where a folder with something in it has the name.
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


def versions(folder: Path) -> list[Path]:
    """The version folders inside `folder` (their names are numbers), oldest first."""
    numbered = [path for path in folder.iterdir() if path.name.isdecimal()]
    return sorted(numbered, key=lambda path: int(path.name))


def export_saved_model(
    model: keras.Model,
    folder: Path,
    record: Record | None = None,
    source: ModelSource | None = None,
    features: bool = False,
    freeze: bool = False,
    warmup: int | None = None,
    most_pixels: int = MOST_SERVED_PIXELS,
) -> Path:
    """Writes `model` as the next version in `folder`, with a `model.json` that says what it is.

    It is written beside and renamed when it is whole: a server that watches `folder` never sees half a model.

    Args:
        model: A classifier, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        folder: The folder of the versions; made if it is missing.
        record: The model's record: with it preprocessing is inside; see
            `lambda_keras.export.saved_model.signatures.ServerModel`.
        source: Where the model was found, for `model.json`.
        features: Whether to offer the embedding and the maps of the stages as a signature.
        freeze: Whether to write the variables as constants of the graph.
        warmup: How many requests of each signature a server is to run when it loads the model; by default none.
        most_pixels: How many pixels a file of `classify_bytes` may have.

    Returns:
        The new version's folder: `folder/<number>`, one above the highest that is there.

    Raises:
        UserError: `folder` has wildcards in its path or cannot be written to, the disk is full, the model does not have
            what is asked for, or `warmup` is out of bounds.

    Example:
        >>> model = load_classifier(Path("runs/digits/model.keras"))  # doctest: +SKIP
        >>> export_saved_model(model, Path("runs/digits/saved_model"))  # doctest: +SKIP
        PosixPath('runs/digits/saved_model/1')
    """

    def write(place):
        server_model = ServerModel(model, record, features, freeze, most_pixels)
        if warmup is not None:
            check_count(warmup, len(server_model.functions))
        server_model.save(place)
        write_description(place, describe(model, record, source))
        if warmup is not None:
            write_warmup(place, server_model.functions, warmup, record)

    return write_version(folder, write)


def write_version(folder: Path, write: Callable[[Path], None]) -> Path:
    """Gives what is written the next number in a folder of versions, once it is whole.

    Args:
        folder: The folder of the versions; made if it is missing.
        write: Function of the folder to write a SavedModel to.

    Returns:
        The new version's folder: `folder/<number>`, one above the highest that is there.

    Raises:
        UserError: `folder` has wildcards in its path or cannot be written to, or the disk is full.
    """
    check_loadable(folder)
    with scratch_folder(folder) as scratch:
        write(scratch / "saved_model")
        return _rename(scratch / "saved_model", folder)


def _rename(written: Path, folder: Path) -> Path:
    """Gives what is written the next number; another export may take it first, then it is the one after that."""
    while True:
        existing = versions(folder)
        version = folder / str(int(existing[-1].name) + 1 if existing else 1)
        try:
            os.rename(written, version)
            return version
        except OSError as error:
            if error.errno not in TAKEN or version not in versions(folder):
                raise UserError(f"cannot write {version}: {reason(error)}") from error
