"""Where a command finds its model: what its argument means, and the kind of model that this is.

A model is a `.keras` file or the folder of a training run, a folder that `lambda_keras.save_pretrained` wrote, a
repository of the Hugging Face Hub, or a registered architecture with weights.
"""

from pathlib import Path

import lambda_keras as lk
from lambda_keras.weights import catalog, reference
from lambda_keras.weights.reference import Checkpoint, File, Folder, Hub, Tag
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.errors import UserError, errors_of_weights
from lambda_keras.zoo.models.model_kinds import (
    KerasFile,
    ModelOfLoneFile,
    ModelSource,
    ModelWithOrigin,
    PublishedModel,
    SharedModel,
)


def find(source: str | Path, weights: str | None = None) -> ModelSource:
    """Finds a model; nothing is loaded or downloaded.

    Args:
        source: A path, `hf://owner/repository[@revision]`, or a registered model such as `lambda_resnet50ts`, with a
            tag, such as `lambda_resnet50ts.a1h_in1k`, or without, for the first of its published weights.
        weights: For a registered model, what `lambda_keras.load_weights` takes. They must fit exactly.

    Returns:
        A `ModelSource`.

    Raises:
        UserError: There is no such model, or no such weights of it.

    Example:
        >>> find("lambda_resnet50ts").name
        'lambda_resnet50ts.a1h_in1k'
    """
    if weights is not None:
        if source not in lk.list_models():
            raise UserError(f"--weights is for a name of `lambda-zoo models` without a tag, got {source}")
        with errors_of_weights():
            found = reference.parse(weights, source)
        if isinstance(found, Tag):
            return _published(found)
        name, whence = f"{source} with {found}", origin(found)
        if whence is None:
            return ModelOfLoneFile(source, found, name)
        return ModelWithOrigin(source, found, name, whence)
    found = parse(source)
    return _published(found) if isinstance(found, Tag) else _at(found)


def parse(source: str | Path) -> Tag | Hub | Folder | File | Checkpoint:
    """Says what the argument of a command means that names a model: beside files, a path that exists wins over a name.

    Args:
        source: As for `find`.

    Returns:
        As `lambda_keras.weights.reference.parse` does: a `Tag` is of a registered model.

    Raises:
        UserError: It starts like a repository of the Hub, and is none.
    """
    with errors_of_weights():
        found = reference.parse(source)
    if isinstance(found, Tag) and (found.model not in lk.list_models() or Path(source).exists()):
        return reference.of_path(source)
    return found


def origin(found: Tag | Hub | Folder | File | Checkpoint) -> ModelSource | None:
    """Finds the model that weights are from, which knows how its images were and what its classes are.

    Args:
        found: What `lambda_keras.weights.reference.parse` returned for the weights.

    Returns:
        A `ModelSource`; `None` for a lone file, which says nothing of its images, or where there is none.

    Raises:
        UserError: A folder has no model, or there are no such published weights.
    """
    match found:
        case Tag():
            return _published(found)
        case Hub() | Folder():
            return _at(found)
        case File(path) if path.is_file() and path.with_name(run_folder.RECORD).is_file():
            return KerasFile(path)
    return None


def _published(found: Tag) -> ModelSource:
    """The model of published weights; without a tag, of the first."""
    tags = catalog.tags(found.model)
    if not (found.tag or tags):
        raise UserError(
            f"{found.model} is an architecture only: no weights of it are published; give your own with --weights, or "
            f"take one of {', '.join(lk.list_models(pretrained=True))}"
        )
    with errors_of_weights():
        row = catalog.find(found.model, found.tag or tags[0])
    return PublishedModel(row, row.name)


def _at(found: Hub | Folder | File | Checkpoint) -> ModelSource:
    """The model in a repository of the Hub, in a folder or in a file."""
    match found:
        case Hub():
            return _of_hub(found)
        case Folder(path):
            return SharedModel(found) if found.is_shared else KerasFile(path)
        case _:
            return KerasFile(found.path)


def _of_hub(found: Hub) -> ModelSource:
    row = catalog.of_repository(found.repository)
    if row is None:
        return SharedModel(found)
    return PublishedModel(row, str(found), other=None if row.is_of_revision(found.revision) else found)
