"""`record.json`: how a saved model wants its images, and which data it was trained on."""

import dataclasses
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from lambda_keras.atomic import replacing
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.recipe import Data


class Record(BaseModel):
    """What must be known beside a model's file to evaluate it, or to predict with it.

    Attributes:
        model: The model's name in `lambda_keras.list_models()`.
        image_size: Side of the model's images in pixels.
        evaluation_crop: Share of the side that the central crop keeps.
        interpolation: How images are resized.
        mean: Mean of each channel on the scale 0 to 1, for `lambda_keras.preprocess_input`.
        std: Standard deviation of each channel on the same scale.
        channels: Channels of an image.
        class_names: The name of each label, in order.
        dataset: The dataset's name, as in the recipe; `None` for a shared model, which does not tell it.
        train_split: Split expression of the training part; `None` for the dataset's default, here and below.
        validation_split: The same of the validation part.
        test_split: The same of the test part.
        validation_fraction: Share of the training part that was held back for validation.

    Example:
        >>> record = Record.of(recipe, dataset)  # doctest: +SKIP
        >>> record.write("runs/digits/record.json")  # doctest: +SKIP
        >>> Record.read("runs/digits/record.json").image_size  # doctest: +SKIP
        32
    """

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
    def of(cls, recipe, dataset):
        """Makes the record of a model that is trained with this recipe.

        Args:
            recipe: The `lambda_keras.zoo.recipe.Recipe`.
            dataset: What `lambda_keras.zoo.data.catalog.load(recipe.data)` returns.
        """
        data = recipe.data
        return cls(
            model=recipe.model.name,
            image_size=data.image_size,
            evaluation_crop=data.evaluation_crop,
            interpolation=data.interpolation,
            mean=dataset.mean,
            std=dataset.std,
            channels=dataset.channels,
            class_names=dataset.class_names,
            dataset=data.name,
            train_split=data.train,
            validation_split=data.validation,
            test_split=data.test,
            validation_fraction=data.validation_fraction,
        )

    @classmethod
    def of_preprocessor(cls, preprocessor, model, class_names, dataset=None, test_split=None):
        """Makes the record of a model that was not trained here.

        Args:
            preprocessor: The `lambda_keras.weights.Preprocessor` that goes with its weights.
            model: The model's name.
            class_names: The name of each label, in order.
            dataset: The dataset's name, if known.
            test_split: Split expression of the images on which it is evaluated, if not the dataset's default.

        Raises:
            UserError: A value is outside the bounds that `lambda_keras.zoo.recipe.Data` sets, or of another kind.
        """
        try:
            record = cls(
                **dataclasses.asdict(preprocessor),
                model=model,
                channels=len(preprocessor.mean),
                class_names=class_names,
                dataset=dataset,
                train_split=None,
                validation_split=None,
                test_split=test_split,
                validation_fraction=Data.model_fields["validation_fraction"].default,
            )
        except ValidationError as error:
            raise UserError(f"the record of {model}: {_explain(error)}") from error
        record.data()  # Checks the bounds, which are the recipe's.
        return record

    def data(self, **changes):
        """Returns the `Data` of a recipe with which the catalog and the input pipeline give the images of evaluation.

        Args:
            **changes: Fields of `lambda_keras.zoo.recipe.Data` that differ from the record; `name` must be among them
                where the record has no dataset, before images are loaded. Another dataset has its own default splits.

        Raises:
            UserError: A value is outside the bounds that `lambda_keras.zoo.recipe.Data` sets.

        Example:
            >>> record.data(image_size=64).image_size  # doctest: +SKIP
            64
        """
        name = changes.get("name", self.dataset)
        # Split expressions are of the record's own dataset.
        splits = (self.train_split, self.validation_split, self.test_split) if name == self.dataset else (None,) * 3
        values = {
            "name": name or "unknown",
            **dict(zip(("train", "validation", "test"), splits, strict=True)),
            "validation_fraction": self.validation_fraction,
            "image_size": self.image_size,
            "evaluation_crop": self.evaluation_crop,
            "interpolation": self.interpolation,
            "channels": self.channels if name and catalog.source_of(name).takes_channels else None,
        }
        try:
            return Data(**{**values, **changes})
        except ValidationError as error:
            raise UserError(f"the images of {self.model}: {_explain(error)}") from error

    def write(self, path):
        """Writes the record as JSON; an older file is replaced once the new one is whole."""
        with replacing(path) as partial:
            partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path):
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
                "it, copy it together with the model"
            )
        try:
            record = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise UserError(f"{path} is damaged: {_explain(error)}; copy it from the run again") from error
        record.data()  # Checks the bounds, which are the recipe's.
        return record


def _explain(error):
    """Says in a line what pydantic found wrong: which keys, what was received, what is allowed."""
    return "; ".join(map(_explain_problem, error.errors()))


def _explain_problem(problem):
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"unknown key {name} (allowed: {', '.join(Record.model_fields)})"
    if problem["type"] == "missing":
        return f"{name} is missing"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should", "must")
    # What is wrong with the whole has no name and needs no second print of the whole.
    return f"{name} {message}, got {problem['input']!r}" if name else message
