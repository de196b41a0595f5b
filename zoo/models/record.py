"""`record.json`: how a saved model wants its images, and which data it was trained on."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from lambda_keras.atomic import replacing
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import UserError, shown
from lambda_keras.zoo.recipe import Data, Recipe


@dataclasses.dataclass(frozen=True)
class TrainedOn:
    """The images that a model was trained on.

    Attributes:
        dataset: The dataset's name, as in the recipe.
        train: Split expression of the training part; `None` for the dataset's default, here and below.
        validation: The same of the validation part.
        test: The same of the test part.
        validation_fraction: Share of the training part that was held back for validation.
    """

    dataset: str
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    validation_fraction: float = Data.model_fields["validation_fraction"].default


class OtherClass(NamedTuple):
    """A label that means something else to a model.

    Attributes:
        label: The label.
        received: The class that it means; `None` where it means none.
        expected: The class that it is to the model; `None` where it is none.
    """

    label: int
    received: str | None
    expected: str | None


@dataclasses.dataclass(frozen=True)
class Record:
    """What must be known beside a model's file to evaluate it, or to predict with it.

    Attributes:
        model: The model's name in `lambda_keras.list_models()`.
        preprocessor: How the model wants its images, a `lambda_keras.weights.Preprocessor`.
        class_names: The name of each label, in order.
        trained_on: A `TrainedOn`; `None` for a shared model, which does not say.

    Raises:
        UserError: A value is outside the bounds that `lambda_keras.zoo.recipe.Data` sets, or of another kind.

    Example:
        >>> record = Record("lambda_resnet_tiny", Preprocessor(32, mean=(0.3,), std=(0.4,)), "0123456789")
        >>> record.write("runs/digits/record.json")  # doctest: +SKIP
        >>> Record.read("runs/digits/record.json") == record  # doctest: +SKIP
        True
    """

    model: str
    preprocessor: Preprocessor
    class_names: tuple[str, ...]
    trained_on: TrainedOn | None = None

    def __post_init__(self):
        """Refuses what no image can be prepared or named with."""
        object.__setattr__(self, "class_names", tuple(self.class_names))
        try:
            _File.of(self)
        except ValidationError as error:
            raise UserError(f"the record of {self.model}: {_explain(error)}") from error
        self.data()

    @classmethod
    def of(cls, recipe: Recipe, dataset: Dataset) -> Self:
        """Makes the record of a model that is trained with this recipe.

        Args:
            recipe: The `lambda_keras.zoo.recipe.Recipe`.
            dataset: What `lambda_keras.zoo.data.catalog.load(recipe.data)` returns.
        """
        data = recipe.data
        return cls(
            recipe.model.name,
            Preprocessor(data.image_size, data.evaluation_crop, data.interpolation, dataset.mean, dataset.std),
            dataset.class_names,
            TrainedOn(data.name, data.train, data.validation, data.test, data.validation_fraction),
        )

    @property
    def dataset(self) -> str | None:
        """The name of the dataset that the model was trained on; `None` where that is not known."""
        return self.trained_on.dataset if self.trained_on else None

    def with_preprocessing(self, **changes: float | str) -> Self:
        """Makes the record of a model that is given images of another kind.

        Args:
            **changes: Attributes of the `lambda_keras.weights.Preprocessor` that differ.

        Raises:
            UserError: A value is out of bounds.

        Example:
            >>> record.with_preprocessing(image_size=64).preprocessor.image_size  # doctest: +SKIP
            64
        """
        values = {**dataclasses.asdict(self.preprocessor), **changes}
        return dataclasses.replace(self, preprocessor=_preprocessor(self.model, values))

    def data(self, dataset: str | None = None, most_pixels: int = MOST_PIXELS) -> Data:
        """Returns the `Data` of a recipe with which the catalog and the input pipeline give the images of evaluation.

        Args:
            dataset: The dataset's name, if not that of the record; it is needed, before images are loaded, where the
                record has none. Another dataset has its own default splits.
            most_pixels: How many pixels an image file may have.
        """
        images = self.trained_on or TrainedOn("unknown")
        if dataset not in (None, images.dataset):
            # Split expressions are of the record's own dataset.
            images = TrainedOn(dataset, validation_fraction=images.validation_fraction)
        values = dataclasses.asdict(images)
        values["name"] = values.pop("dataset")
        if catalog.source_of(images.dataset).takes_channels:
            values["channels"] = self.preprocessor.channels
        return _data(self.model, dataclasses.asdict(self.preprocessor), most_pixels=most_pixels, **values)

    def first_other_class(self, class_names: Sequence[str]) -> OtherClass | None:
        """Compares the classes of other labels with the model's.

        Args:
            class_names: The name of each label, in order.

        Returns:
            The first `OtherClass`; `None` where all are the same.
        """
        pairs = enumerate(itertools.zip_longest(class_names, self.class_names))
        differing = (OtherClass(label, *pair) for label, pair in pairs if pair[0] != pair[1])
        return next(differing, None)

    def write(self, path: Path) -> None:
        """Writes the record as JSON; an older file is replaced once the new one is whole."""
        with replacing(path) as partial:
            partial.write_text(_File.of(self).model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> "Record":
        """Reads a record.

        Args:
            path: A file that `write` wrote.

        Raises:
            UserError: There is no such file, or it is damaged, or a value is unknown, missing or out of bounds.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(
                f"no such file: {path}; it says how the model beside it wants its images: `lambda-zoo train` writes "
                "it, copy it together with the model, or write it with `lambda-zoo write-record`"
            )
        try:
            file = _File.model_validate_json(path.read_bytes())
        except ValidationError as error:
            if any(problem["loc"] == ("network",) for problem in error.errors()):
                raise UserError(
                    f"{path} is the record of a detector, not of a classifier; give it to `lambda-zoo detect …` or "
                    "`lambda-export detector`"
                ) from error
            raise UserError(f"{path} is damaged: {_explain(error)}; copy it from the run again") from error
        return file.record()


class _File(BaseModel):
    """What stands in `record.json`, flat and in this order."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str
    image_size: int
    evaluation_crop: float
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[PositiveFloat, ...]
    channels: PositiveInt
    class_names: tuple[str, ...] = Field(min_length=1)
    dataset: str | None
    train_split: str | None
    validation_split: str | None
    test_split: str | None
    validation_fraction: float

    @model_validator(mode="after")
    def _has_a_mean_for_each_channel(self):
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std need {self.channels} values, one for each channel")
        return self

    @classmethod
    def of(cls, record):
        trained_on = record.trained_on
        return cls(
            model=record.model,
            **dataclasses.asdict(record.preprocessor),
            channels=record.preprocessor.channels,
            class_names=record.class_names,
            dataset=record.dataset,
            train_split=trained_on and trained_on.train,
            validation_split=trained_on and trained_on.validation,
            test_split=trained_on and trained_on.test,
            validation_fraction=trained_on.validation_fraction if trained_on else TrainedOn.validation_fraction,
        )

    def record(self):
        trained_on = None
        if self.dataset is not None:
            splits = {"train": self.train_split, "validation": self.validation_split, "test": self.test_split}
            trained_on = TrainedOn(self.dataset, **splits, validation_fraction=self.validation_fraction)
        fields = (field.name for field in dataclasses.fields(Preprocessor))
        values = {name: getattr(self, name) for name in fields}
        return Record(self.model, _preprocessor(self.model, values), self.class_names, trained_on)


def _preprocessor(model, values):
    # First the recipe's bounds, which are the narrower ones, and whose message names the key.
    _data(model, values, name="unknown")
    return Preprocessor(**values)


def _data(model, preprocessing, **values):
    """The `Data` of values and of a preprocessor's values, with the line of an error."""
    shared = {name: preprocessing[name] for name in ("image_size", "evaluation_crop", "interpolation")}
    try:
        return Data(**shared, **values)
    except ValidationError as error:
        raise UserError(f"the images of {model}: {_explain(error)}") from error


def _explain(error):
    """Says in a line what pydantic found wrong: which keys, what was received, what is allowed."""
    return "; ".join(explain_problem(problem, _File.model_fields) for problem in error.errors())


def explain_problem(problem: Mapping[str, Any], allowed: Iterable[str] = ()) -> str:
    """Says what is wrong with one value: which key it has, what was received, what is allowed.

    Args:
        problem: One of the `errors()` of a `pydantic.ValidationError`.
        allowed: The keys that there are, for a problem with an unknown one.
    """
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"unknown key {name}" + (f" (allowed: {', '.join(allowed)})" if allowed else "")
    if problem["type"] == "missing":
        return f"{name} is missing"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should", "must")
    # What is wrong with the whole has no name and needs no second print of the whole.
    return f"{name} {message}, got {shown(problem['input'])}" if name else message
