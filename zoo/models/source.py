"""Where a command finds its model, and the record that says how the model wants its images.

A model is a `.keras` file or the folder of a training run, a folder that `lambda_keras.save_pretrained` wrote, a
repository of the Hugging Face Hub, or a registered architecture with weights.
"""

import abc
import functools
import re
import sys
from pathlib import Path

import lambda_keras as lk
from lambda_keras.applications import imagenet
from lambda_keras.weights import catalog, loader, pretrained
from lambda_keras.weights.hub_name import PREFIX, is_hub_name, split_hub_name
from lambda_keras.weights.row import WeightsRecord
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.data.catalog import of_published
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
        folder: Where what a command finds out about it goes, if not told otherwise.
        has_record: Whether there is a record; only a lone file has none.
        published: The `lambda_keras.weights.row.WeightsRecord` of its weights, if they are published ones.
    """

    name: str
    folder: Path
    has_record: bool = True
    published: WeightsRecord | None = None

    @abc.abstractmethod
    def record(self):
        """Returns the `lambda_keras.zoo.models.record.Record`.

        Raises:
            UserError: There is none, or it is damaged.
        """

    @abc.abstractmethod
    def preprocessing(self):
        """Returns the `lambda_keras.weights.Preprocessor` and the names of the classes, or `None` for these.

        Raises:
            UserError: As of `record`.
        """

    @abc.abstractmethod
    def load(self, image_size=None):
        """Returns the `keras.Model`: images [batch, height, width, channels] in, probabilities [batch, classes] out.

        Args:
            image_size: Side of the images that it is to take, if not those it was made for.

        Raises:
            UserError: It is missing or damaged, is no image classifier, or does not take images of this size.
        """


class SavedModel(ModelSource):
    """A `.keras` file, or a run folder with one; the record is the `record.json` beside it."""

    def __init__(self, path):
        self._file = path / run_folder.MODEL if path.is_dir() else path
        self.name, self.folder = str(self._file), self._file.parent
        if not self._file.exists():
            raise UserError(f"no such file: {self._file}; {EXPECTED}")
        self._record = self._file.with_name(run_folder.RECORD)
        self.has_record = self._record.exists()

    def record(self):
        """The record; see `ModelSource.record`."""
        return Record.read(self._record)

    def preprocessing(self):
        """Both, from the record; see `ModelSource.preprocessing`."""
        record = self.record()
        return record.preprocessor, record.class_names

    def load(self, image_size=None):
        """The model; see `ModelSource.load`."""
        return _resized(load_classifier(self._file), image_size, self.name)


class SharedModel(ModelSource):
    """What `lambda_keras.save_pretrained` wrote, to a folder or for a repository of the Hub."""

    def __init__(self, source):
        self.name = str(source)
        self.folder = _run_folder(self.name) if is_hub_name(self.name) else Path(source)

    def preprocessing(self):
        """Both; see `ModelSource.preprocessing`."""
        with errors_of_weights():
            return pretrained.read_preprocessor(self.name)

    def record(self):
        """The record; see `ModelSource.record`."""
        preprocessor, class_names = self.preprocessing()
        if class_names is None:
            class_names = _numbers(self._model.output_shape[-1])
        return Record(self.name, preprocessor, class_names)

    def load(self, image_size=None):
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
        weights: What `lambda_keras.load_weights` takes.
        row: The catalog's row of the weights; `None` of others.
        name: What to call it in messages.
        origin: For weights without a row, the `ModelSource` that they are from, which knows their preprocessing and
            classes; `None` for a lone file, whose images are taken to be as the architecture's.
    """

    def __init__(self, architecture, weights, row, name, origin=None):
        self._architecture, self._weights, self._row, self._origin = architecture, weights, row, origin
        # Another revision of a repository has other weights than the row.
        self.published = row if row and weights == row.name else None
        self.name, self.folder = name, _run_folder(name)

    def preprocessing(self):
        """Both; see `ModelSource.preprocessing`."""
        if self._origin:
            return self._origin.preprocessing()
        if self._row and self._row.class_names:
            return self._preprocessor(), self._row.class_names
        # The registry's models of so many classes are made for ImageNet.
        if lk.applications.get_config(self._architecture).classes != 1000:
            return self._preprocessor(), None
        with errors_of_weights():
            return self._preprocessor(), tuple(identifier for identifier, _ in imagenet.class_names())

    def record(self):
        """The record; see `ModelSource.record`."""
        preprocessor, class_names = self.preprocessing()
        if self._row is None and self._origin is None:
            print(
                f"{self._weights} does not tell how its images were: they are taken as {self._architecture} wants them "
                f"(mean {list(preprocessor.mean)}, std {list(preprocessor.std)}); a run folder or one of "
                "save_pretrained tells it",
                file=sys.stderr,
            )
        class_names = class_names or _numbers(lk.applications.get_config(self._architecture).classes)
        dataset, test = of_published(self._row.dataset) if self._row else (None, None)
        trained_on = TrainedOn(dataset, test=test) if dataset else None
        return Record(self._architecture, preprocessor, class_names, trained_on)

    def _preprocessor(self):
        return self._row.preprocessor if self._row else loader.preprocessor_of(self._architecture)

    def load(self, image_size=None):
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
            lk.load_weights(model, self._weights, architecture=self._architecture)
        return model


def find(source, weights=None):
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
    source = str(source)
    if weights is not None:
        if source not in lk.list_models():
            raise UserError(f"--weights is for a name of `lambda-zoo models` without a tag, got {source}")
        return _registered(source, weights)
    if is_hub_name(source):
        return _of_hub(source)
    architecture, _, tag = source.partition(".")
    if architecture in lk.list_models() and tag != "keras" and not Path(source).exists():
        return _registered(architecture, tag or _first_tag(architecture))
    if (Path(source) / pretrained.CONFIG).is_file():
        return SharedModel(source)
    return SavedModel(Path(source))


def _registered(architecture, weights):
    if not loader.is_published(weights) or is_hub_name(weights):
        return RegisteredModel(architecture, weights, None, f"{architecture} with {weights}", origin(weights))
    with errors_of_weights():
        row = loader.find_record(weights, architecture)
    return RegisteredModel(architecture, row.name, row, row.name)


def origin(weights):
    """Finds the model that weights are from, which knows how its images were and what its classes are.

    Args:
        weights: A path or `hf://owner/repository[@revision]`; no tag.

    Returns:
        A `ModelSource`; `None` for a lone file, which tells nothing of its images, or where there is none.

    Raises:
        UserError: A folder has no model.
    """
    path = Path(weights)
    if is_hub_name(weights) or path.is_dir():
        return find(weights)
    return SavedModel(path) if path.is_file() and path.with_name(run_folder.RECORD).is_file() else None


def _first_tag(architecture):
    tags = catalog.tags(architecture)
    if not tags:
        raise UserError(
            f"{architecture} is an architecture only: no weights of it are published; give your own with --weights, or "
            f"take one of {', '.join(lk.list_models(pretrained=True))}"
        )
    return tags[0]


def _of_hub(source):
    with errors_of_weights():
        repository, revision = split_hub_name(source)
    row = next((row for row in catalog.records() if row.repository == repository), None)
    if row is None:
        return SharedModel(source)
    # The catalog's hash is that of its own revision.
    weights = row.name if revision in (None, row.revision) else source
    return RegisteredModel(row.model, weights, row, source)


def _resized(model, image_size, name):
    return model if image_size is None else with_image_size(model, image_size, name)


def _run_folder(name):
    """A folder beside those of `lambda-zoo train`, for what has no folder of its own."""
    return Path("runs", re.sub(r"[^\w.@]+", "-", name.removeprefix(PREFIX)))


def _numbers(classes):
    """Names of classes that have none."""
    return tuple(map(str, range(classes)))
