"""The schema of a recipe: one training setting, typed and bounded.

`zoo.recipe_file` reads recipes and tells where in a file an error stands.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from zoo.data import catalog


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Model(_Section):
    """Which model to build.

    Attributes:
        name: A name of `lambda_keras.list_models()`.
        overrides: Keywords of `lambda_keras.create_model` that differ from the model's own configuration.
    """

    name: str
    overrides: dict[str, Any] = Field(default_factory=dict)

    @field_validator("overrides")
    @classmethod
    def _leave_the_data_alone(cls, overrides):
        if taken := {"input_shape", "classes"} & set(overrides):
            raise ValueError(f"{', '.join(sorted(taken))} must be left out: the data and data.image_size decide")
        return overrides


class Data(_Section):
    """Which images to train on, and how they are varied.

    Attributes:
        name: A dataset of `zoo.data.catalog`.
        image_size: Side of the model's images in pixels.
        validation_fraction: Share of the training part that is held back for the curves.
        crop_padding: Training images are padded by so many black pixels on each side and cropped at random.
        horizontal_flip: Whether half of the training images are mirrored.
    """

    name: str
    image_size: int = Field(ge=8, le=1024)
    validation_fraction: float = Field(default=0.1, gt=0, le=0.5)
    crop_padding: int = Field(default=0, ge=0, le=128)
    horizontal_flip: bool = False

    @field_validator("name")
    @classmethod
    def _known(cls, name):
        return catalog.find(name).name


class Training(_Section):
    """How the weights are found.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images in a step.
        optimizer: `momentum` and `nesterov` are SGD with momentum 0.9.
        learning_rate: The peak, reached after the warm-up; from there it falls to zero along a cosine.
        warmup_epochs: Epochs of linear warm-up.
        weight_decay: Share of a weight that is taken away a step, times the learning rate (decoupled). Applies to
            kernels; not to biases, BatchNorm and position tables.
        label_smoothing: Share of the target that is spread evenly over all classes.
        seed: Seed of the initial weights, the order of the images and the augmentation.
    """

    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1, le=65_536)
    optimizer: Literal["momentum", "nesterov", "adamw"]
    learning_rate: float = Field(gt=0, le=100)
    warmup_epochs: float = Field(default=0, ge=0)
    weight_decay: float = Field(default=0, ge=0, le=1)
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _warmup_ends(self):
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs} must be below epochs {self.epochs}")
        return self


class Recipe(_Section):
    """A training setting: a model, its data and the training."""

    model: Model
    data: Data
    training: Training
