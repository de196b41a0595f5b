"""Where a command finds its model, and the record that says how the model wants its images.

A model is a `.keras` file or the folder of a training run, a folder that `lambda_keras.save_pretrained` wrote, a
repository of the Hugging Face Hub, or a registered architecture with weights.
"""

import abc
import functools
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras

import lambda_keras as lk
from lambda_keras.applications import imagenet
from lambda_keras.weights import Preprocessor, catalog, loader, pretrained, reference
from lambda_keras.weights.errors import WeightsWarning
from lambda_keras.weights.reference import Checkpoint, File, Folder, Hub, Tag
from lambda_keras.weights.row import WeightsRecord
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.data.catalog import of_published
from lambda_keras.zoo.data.class_names import numbered
from lambda_keras.zoo.errors import UserError, errors_of_weights
from lambda_keras.zoo.models.image_size import with_image_size
from lambda_keras.zoo.models.loading import check_backend, check_classifier, load_classifier
from lambda_keras.zoo.models.record import Record, TrainedOn

EXPECTED = (
    "a model is a .keras file, a folder of a run or of save_pretrained, hf://owner/repository[@revision], or a name of "
    "`lambda-zoo models`, such as lambda_resnet50ts"
)


class ModelSource(abc.ABC):
    """A model that is not loaded yet.

    Attributes:
        name: What to call it in messages.
        folder: Where what a command finds out about it goes by default.
        has_record: Whether there is a record; only a lone file has none.
        published: The `lambda_keras.weights.row.WeightsRecord` of its weights, if they are published ones.
    """

    name: str
    folder: Path
    has_record: bool = True
    published: WeightsRecord | None = None

    @abc.abstractmethod
    def record(self) -> Record:
        """Returns the `lambda_keras.zoo.models.record.Record`.

        Raises:
            UserError: There is none, or it is damaged.
        """

    @abc.abstractmethod
    def preprocessing(self) -> tuple[Preprocessor, Sequence[str] | None]:
        """Returns the `lambda_keras.weights.Preprocessor` and the names of the classes, or `None` for these.

        Raises:
            UserError: As for `record`.
        """

    @abc.abstractmethod
    def load(self, image_size: int | None = None) -> keras.Model:
        """Returns the `keras.Model`: images [batch, height, width, channels] in, probabilities [batch, classes] out.

        Args:
            image_size: Side of the images that it is to take, if not those it was made for.

        Raises:
            UserError: It is missing or damaged, is no image classifier, or does not take images of this size.
        """


class KerasFile(ModelSource):
    """A `.keras` file, or a run folder with one; the record is the `record.json` beside it."""

    def __init__(self, path: Path):
        self._file = path / run_folder.MODEL if path.is_dir() else path
        self.name, self.folder = str(self._file), self._file.parent
        if not self._file.exists():
            raise UserError(f"no such file: {self._file}; {EXPECTED}")
        self._record = self._file.with_name(run_folder.RECORD)
        self.has_record = self._record.exists()

    def record(self) -> Record:
        """The record; see `ModelSource.record`."""
        return Record.read(self._record)

    def preprocessing(self) -> tuple[Preprocessor, Sequence[str] | None]:
        """Both, from the record; see `ModelSource.preprocessing`."""
        record = self.record()
        return record.preprocessor, record.class_names

    def load(self, image_size: int | None = None) -> keras.Model:
        """The model; see `ModelSource.load`."""
        return _resized(load_classifier(self._file), image_size, self.name)


class SharedModel(ModelSource):
    """What `lambda_keras.save_pretrained` wrote, to a folder or for a repository of the Hub."""

    def __init__(self, place: Hub | Folder):
        self._place, self.name = place, str(place)
        self.folder = _run_folder(self.name) if isinstance(place, Hub) else place.path

    def preprocessing(self) -> tuple[Preprocessor, Sequence[str] | None]:
        """Both; see `ModelSource.preprocessing`."""
        with errors_of_weights():
            return pretrained.read_preprocessor(self._place)

    def record(self) -> Record:
        """The record; see `ModelSource.record`."""
        preprocessor, class_names = self.preprocessing()
        if class_names is None:
            class_names = numbered(self._model.output_shape[-1])
        return Record(self.name, preprocessor, tuple(class_names))

    def load(self, image_size: int | None = None) -> keras.Model:
        """The model; see `ModelSource.load`."""
        return _resized(self._model, image_size, self.name)

    @functools.cached_property
    def _model(self):
        check_backend()
        with errors_of_weights():
            model = lk.from_pretrained(self.name)
        check_classifier(model, self.name)
        return model


class RegisteredModel(ModelSource):
    """A registered architecture with weights: published ones, of which the catalog has a row, or others.

    Args:
        architecture: Its name.
        weights: What `lambda_keras.weights.reference.parse` returned: published weights by their tag, or where others
            are, among them another revision of a repository of the catalog.
        row: The catalog's row of the weights or of their repository; `None` of others.
        name: What to call it in messages.
        origin: For weights without a row, the `ModelSource` that they are from, which knows their preprocessing and
            classes; `None` for a lone file, whose images are taken to be as the architecture's.
    """

    def __init__(
        self,
        architecture: str,
        weights: Tag | Hub | Folder | File | Checkpoint,
        row: WeightsRecord | None,
        name: str,
        origin: ModelSource | None = None,
    ):
        self._architecture, self._weights, self._row, self._origin = architecture, weights, row, origin
        # Another revision of a repository has other weights than the row.
        self.published = row if isinstance(weights, Tag) else None
        self.name, self.folder = name, _run_folder(name)

    def preprocessing(self) -> tuple[Preprocessor, Sequence[str] | None]:
        """Both; see `ModelSource.preprocessing`."""
        if self._origin:
            return self._origin.preprocessing()
        if self._row and self._row.class_names:
            return self._preprocessor(), self._row.class_names
        if not self._is_of_imagenet():
            return self._preprocessor(), None
        with errors_of_weights():
            return self._preprocessor(), tuple(identifier for identifier, _ in imagenet.class_names())

    def record(self) -> Record:
        """The record; see `ModelSource.record`."""
        preprocessor, class_names = self.preprocessing()
        if self._row is None and self._origin is None:
            warnings.warn(
                f"{self._weights} does not say how its images were prepared: they are taken as "
                f"{self._architecture} wants them (mean {list(preprocessor.mean)}, std {list(preprocessor.std)}); "
                "a run folder or one of save_pretrained says it, and `lambda-zoo write-record` of a .keras file",
                WeightsWarning,
                stacklevel=2,
            )
        class_names = class_names or numbered(lk.applications.get_config(self._architecture).classes)
        dataset, test = of_published(self._row.dataset) if self._row else (None, None)
        trained_on = TrainedOn(dataset, test=test) if dataset else None
        return Record(self._architecture, preprocessor, tuple(class_names), trained_on)

    def _is_of_imagenet(self):
        """Whether the classes are ImageNet's: by the row, or else because the architecture has as many by default."""
        if self._row:
            return self._row.dataset == "imagenet"
        return lk.applications.get_config(self._architecture).classes == imagenet.CLASSES

    def _preprocessor(self):
        return self._row.preprocessor if self._row else lk.applications.preprocessor_of(self._architecture)

    def load(self, image_size: int | None = None) -> keras.Model:
        """The model; see `ModelSource.load`."""
        check_backend()
        # Once: an origin on the Hub is asked each time.
        preprocessor, names = self._origin.preprocessing() if self._origin else (self._preprocessor(), None)
        image_size = image_size or preprocessor.image_size
        if self._row and self._row.fixed_image_size and image_size != self._row.image_size:
            raise UserError(f"{self.name} takes images of {self._row.image_size} pixels only, got {image_size}")
        shape = (image_size, image_size, len(preprocessor.mean))
        model = lk.create_model(self._architecture, input_shape=shape, **({"classes": len(names)} if names else {}))
        with errors_of_weights():
            # Exactly, unlike `weights` of `create_model`: a classifier that stays random must not be evaluated.
            loader.fill(model, self._weights)
        return model


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
        return RegisteredModel(source, found, None, f"{source} with {found}", origin(found))
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
    return RegisteredModel(row.model, Tag(row.model, row.tag), row, row.name)


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
    weights = Tag(row.model, row.tag) if row.is_of_revision(found.revision) else found
    return RegisteredModel(row.model, weights, row, str(found))


def _resized(model, image_size, name):
    return model if image_size is None else with_image_size(model, image_size, name)


def _run_folder(name):
    """A folder beside those of `lambda-zoo train`, for what has no folder of its own."""
    return Path("runs", re.sub(r"[^\w.@]+", "-", name.removeprefix(reference.HUB)))
