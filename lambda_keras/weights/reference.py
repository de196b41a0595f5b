"""What a text that names weights means: it is parsed once, where it comes in; all others match on the type."""

import dataclasses
import os
import pathlib

from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats.pickles import SUFFIXES

HUB = "hf://"
# The file by which a folder of `save_pretrained` is known.
CONFIG = "config.json"
# What a file's name ends in, also of the kinds that are refused.
ENDINGS = (".safetensors", ".h5", ".hdf5", ".keras", ".index", *SUFFIXES)


@dataclasses.dataclass(frozen=True)
class Tag:
    """Published weights, by model and tag.

    Attributes:
        model: Name of a model, which may not be registered.
        tag: A tag or a dataset, such as `"imagenet"`; `None` where the text names the model alone.
    """

    model: str
    tag: str | None = None

    def __str__(self) -> str:
        """As it is written: `model.tag`, or `model`."""
        return f"{self.model}.{self.tag}" if self.tag else self.model


@dataclasses.dataclass(frozen=True)
class Hub:
    """A repository of the Hugging Face Hub.

    Attributes:
        repository: `owner/name`.
        revision: Branch, tag or commit; `None` for the main branch.
    """

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        """As it is written: `hf://owner/repository[@revision]`."""
        return f"{HUB}{self.repository}" + (f"@{self.revision}" if self.revision else "")


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder that exists.

    Attributes:
        path: Its path.
    """

    path: pathlib.Path

    def __str__(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def is_shared(self) -> bool:
        """Whether `save_pretrained` wrote it."""
        return (self.path / CONFIG).is_file()


@dataclasses.dataclass(frozen=True)
class File:
    """A file, which need not exist.

    Attributes:
        path: Its path.
    """

    path: pathlib.Path

    def __str__(self) -> str:
        """Its path."""
        return str(self.path)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A TensorFlow checkpoint, which is several files with one prefix.

    Attributes:
        path: What the paths of its files have in common, such as `ckpt-1` of `ckpt-1.index`.
    """

    path: pathlib.Path

    def __str__(self) -> str:
        """The prefix of its files."""
        return str(self.path)


def parse(text: str | os.PathLike, model: str | None = None) -> Tag | Hub | Folder | File | Checkpoint:
    """Says what a text means that names weights, or a model with its weights.

    A name has neither a slash nor the ending of a file. It wins over a path of the same name, unless that is a folder
    of `save_pretrained` or the prefix of a checkpoint. Nothing is loaded, and no name is looked up.

    Args:
        text: A tag (`"c1_in1k"`), a tag with its model (`"lambda_resnet26t.c1_in1k"`),
            `"hf://owner/repository[@revision]"` or a path. A `pathlib.Path` is always a path.
        model: The model that the weights are for. Without, a name alone is that of a model (`"lambda_resnet26t"`).

    Returns:
        One of the five values.

    Raises:
        WeightsError: It starts like a repository of the Hub, and is none.

    Example:
        >>> parse("c1_in1k", "lambda_resnet26t")
        Tag(model='lambda_resnet26t', tag='c1_in1k')
        >>> parse("hf://timm/lambda_resnet26t.c1_in1k")
        Hub(repository='timm/lambda_resnet26t.c1_in1k', revision=None)
    """
    if not isinstance(text, str):
        return of_path(text)
    if text.startswith(HUB):
        return _parse_hub(text)
    found = of_path(text)
    if "/" in text or text.endswith(ENDINGS) or isinstance(found, Checkpoint) or _is_shared(found):
        return found
    name, _, tag = text.rpartition(".")
    model = name or model
    return Tag(model, tag) if model else Tag(text)


def parse_shared(source: str | os.PathLike) -> Hub | Folder:
    """Says where a model is that `save_pretrained` wrote.

    Args:
        source: `"hf://owner/repository[@revision]"` or a folder, which need not exist.

    Raises:
        WeightsError: It starts like a repository of the Hub, and is none.
    """
    text = str(source)
    return _parse_hub(text) if text.startswith(HUB) else Folder(pathlib.Path(text))


def of_path(path: str | os.PathLike) -> Folder | File | Checkpoint:
    """Says what is at a path; a file where there is nothing.

    Args:
        path: A folder, a file, or the prefix or the index of a TensorFlow checkpoint.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return Folder(path)
    index = path if path.suffix == ".index" else path.with_name(f"{path.name}.index")
    return Checkpoint(index.with_suffix("")) if index.is_file() else File(path)


def _is_shared(found: Folder | File | Checkpoint) -> bool:
    return isinstance(found, Folder) and found.is_shared


def _parse_hub(text: str) -> Hub:
    repository, at, revision = text.removeprefix(HUB).partition("@")
    if repository.count("/") != 1 or not all(repository.split("/")) or (at and not revision):
        raise WeightsError(
            f"A repository of the Hub is written {HUB}owner/repository or {HUB}owner/repository@revision. "
            f"Received: {text!r}"
        )
    return Hub(repository, revision or None)
