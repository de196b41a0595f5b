"""The kinds of models that a command can be given: each says where it is, how it wants its images, and loads itself."""

import abc
import functools
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras

import lambda_keras as lk
from lambda_keras.applications import imagenet
from lambda_keras.weights import Preprocessor, loader, pretrained, reference
from lambda_keras.weights.errors import WeightsWarning
from lambda_keras.weights.reference import Checkpoint, File, Folder, Hub, Tag
from lambda_keras.weights.row import WeightsRecord
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.data.catalog import of_published
from lambda_keras.zoo.data.files.class_names import numbered
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
        self._file = run_folder.model_file(path)
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
    """A registered architecture with weights, which must fit exactly; each kind of it knows how the images were.

    Args:
        architecture: Its name.
        weights: What `lambda_keras.weights.reference.parse` returned.
        name: What to call it in messages.
    """

    def __init__(self, architecture: str, weights: Tag | Hub | Folder | File | Checkpoint, name: str):
        self._architecture, self._weights = architecture, weights
        self.name, self.folder = name, _run_folder(name)

    def record(self) -> Record:
        """The record; see `ModelSource.record`."""
        preprocessor, class_names = self.preprocessing()
        class_names = class_names or numbered(lk.applications.get_config(self._architecture).classes)
        return Record(self._architecture, preprocessor, tuple(class_names), self._trained_on())

    def _trained_on(self) -> TrainedOn | None:
        """The images that the weights were trained on; `None` where that is not known."""
        return None

    def _filled(self, preprocessor: Preprocessor, image_size: int | None, classes: int | None = None) -> keras.Model:
        """The model with its weights; by default of the classes that the architecture has."""
        check_backend()
        side = image_size or preprocessor.image_size
        shape = (side, side, preprocessor.channels)
        model = lk.create_model(self._architecture, input_shape=shape, classes=classes)
        with errors_of_weights():
            # Exactly, unlike `weights` of `create_model`: a classifier that stays random must not be evaluated.
            loader.fill(model, self._weights)
        return model


class PublishedModel(RegisteredModel):
    """A registered architecture with weights of the catalog.

    Args:
        row: The catalog's row of the weights.
        name: What to call it in messages.
        other: Another revision of the row's repository, to take the weights from instead.
    """

    def __init__(self, row: WeightsRecord, name: str, other: Hub | None = None):
        super().__init__(row.model, other or Tag(row.model, row.tag), name)
        self._row = row
        self.published = None if other else row

    def preprocessing(self) -> tuple[Preprocessor, Sequence[str] | None]:
        """Both, from the row; see `ModelSource.preprocessing`."""
        class_names = self._row.class_names
        if class_names is None and self._row.dataset == "imagenet":
            class_names = _classes_of_imagenet()
        return self._row.preprocessor, class_names

    def _trained_on(self) -> TrainedOn | None:
        dataset, test = of_published(self._row.dataset)
        return TrainedOn(dataset, test=test) if dataset else None

    def load(self, image_size: int | None = None) -> keras.Model:
        """The model; see `ModelSource.load`."""
        if self._row.fixed_image_size and image_size not in (None, self._row.image_size):
            raise UserError(f"{self.name} takes images of {self._row.image_size} pixels only, got {image_size}")
        return self._filled(self._row.preprocessor, image_size)


class ModelWithOrigin(RegisteredModel):
    """A registered architecture with the weights of another model.

    Args:
        architecture: As for `RegisteredModel`.
        weights: As for `RegisteredModel`.
        name: As for `RegisteredModel`.
        origin: The other model, which knows its preprocessing and classes.
    """

    def __init__(
        self, architecture: str, weights: Tag | Hub | Folder | File | Checkpoint, name: str, origin: ModelSource
    ):
        super().__init__(architecture, weights, name)
        self._origin = origin

    def preprocessing(self) -> tuple[Preprocessor, Sequence[str] | None]:
        """Both, as of the origin; see `ModelSource.preprocessing`."""
        return self._origin.preprocessing()

    def load(self, image_size: int | None = None) -> keras.Model:
        """The model; see `ModelSource.load`."""
        preprocessor, class_names = self.preprocessing()
        return self._filled(preprocessor, image_size, len(class_names) if class_names else None)


class ModelOfLoneFile(RegisteredModel):
    """A registered architecture with the weights of a file that says nothing of images and classes.

    Both are taken to be as the architecture's.
    """

    def preprocessing(self) -> tuple[Preprocessor, Sequence[str] | None]:
        """Both, as by default; see `ModelSource.preprocessing`."""
        preprocessor = lk.applications.preprocessor_of(self._architecture)
        # Architectures with as many classes were made for ImageNet; more is not known of these weights.
        is_of_imagenet = lk.applications.get_config(self._architecture).classes == imagenet.CLASSES
        return preprocessor, _classes_of_imagenet() if is_of_imagenet else None

    def record(self) -> Record:
        """The record, with a warning of what it assumes; see `ModelSource.record`."""
        record = super().record()
        preprocessor = record.preprocessor
        warnings.warn(
            f"{self._weights} does not say how its images were prepared: they are taken as "
            f"{self._architecture} wants them (mean {list(preprocessor.mean)}, std {list(preprocessor.std)}); "
            "a run folder or one of save_pretrained says it, and `lambda-zoo write-record` of a .keras file",
            WeightsWarning,
            stacklevel=2,
        )
        return record

    def load(self, image_size: int | None = None) -> keras.Model:
        """The model; see `ModelSource.load`."""
        return self._filled(lk.applications.preprocessor_of(self._architecture), image_size)


def _classes_of_imagenet():
    with errors_of_weights():
        return tuple(identifier for identifier, _ in imagenet.class_names())


def _resized(model, image_size, name):
    return model if image_size is None else with_image_size(model, image_size, name)


def _run_folder(name):
    """A folder beside those of `lambda-zoo train`, for what has no folder of its own."""
    return Path("runs", re.sub(r"[^\w.@]+", "-", name.removeprefix(reference.HUB)))
