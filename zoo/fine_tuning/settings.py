"""What a user asks `lambda-zoo fine-tune` for, and the command that says it."""

import functools
import shlex
from dataclasses import dataclass

from lambda_keras.weights import reference
from lambda_keras.weights.reference import Checkpoint, File, Folder, Hub, Tag
from lambda_keras.zoo.errors import UserError, errors_of_weights

# Of `--weights`.
DEFAULT, NONE = "imagenet", "none"
# Keys of a recipe that options of the command decide.
OPTIONS = {
    "model.name": "--model",
    "model.weights": "--weights",
    "model.warm_start": "--warm-start",
    "data.name": "--data",
    "training.epochs": "--epochs",
    "training.class_weights": "--class-weights",
    "training.seed": "--seed",
}


@dataclass(frozen=True)
class Settings:
    """What a user asks for.

    Attributes:
        data: A folder of class folders, perhaps in `train`, `validation` and `test`; a CSV file with the columns `path`
            and `label` and perhaps `split`; or a name of `lambda_keras.zoo.data.catalog.load`.
        model: A name of `lambda_keras.list_models()`.
        out: The folder to write.
        weights: To start from: a tag, such as `imagenet`, a path, `hf://owner/repository[@revision]`, or `none` for
            random ones; by default `imagenet`, unless there is a warm start.
        warm_start: `resnet_rs` or `None`.
        data_dir: For a name: as for `lambda_keras.zoo.data.catalog.load`.
        colour: Whether files are read in colour where the weights are for grey images.
        class_weights: Whether all classes count alike in the loss.
        head_epochs: Epochs of the first phase, 0 for none; by default they follow from those of the second.
        epochs: Epochs of the second phase, at most; by default they follow from the number of images.
        budget: Minutes to keep to, by fewer epochs than the default.
        seed: Seed of the split and the training.
        overrides: Strings `key=value` for the recipe of the second phase; only what is special to the first is not
            changed by them, see `lambda_keras.zoo.fine_tuning.schedule.phases`.
        overwrite: Whether to start anew where the folder holds a run.
    """

    data: str
    model: str
    out: str
    weights: str | None = None
    warm_start: str | None = None
    data_dir: str | None = None
    colour: bool = False
    class_weights: bool = False
    head_epochs: int | None = None
    epochs: int | None = None
    budget: float | None = None
    seed: int = 0
    overrides: tuple[str, ...] = ()
    overwrite: bool = False

    def __post_init__(self):
        """Refuses what contradicts itself."""
        # Not `<= 0`: what is no number is not above 0 either.
        if self.budget is not None and not self.budget > 0:
            raise UserError(f"--budget must be above 0 minutes, got {self.budget:g}")
        if self.budget and self.epochs:
            raise UserError("--budget and --epochs exclude each other: the budget decides the epochs")
        if self.warm_start and self.start_weights is not None:
            raise UserError(
                f"--weights and --warm-start exclude each other, got {self.start_weights} and {self.warm_start}"
            )
        for override in self.overrides:
            key = override.partition("=")[0]
            if key in OPTIONS:
                raise UserError(f"give {OPTIONS[key]} instead of {key}, on which other settings depend")
            if f"{key}.".startswith("data.pseudo."):
                raise UserError("data.pseudo is for recipes: train one with `lambda-zoo train`, or leave it out")
        if self.head_epochs is not None and self.head_epochs < 0:
            raise UserError(f"--head-epochs must be at least 0, got {self.head_epochs}")

    @property
    def start_weights(self) -> str | None:
        """The weights to start from, as `lambda_keras.load_weights` takes them; `None` where there are none."""
        if self.weights is None:
            return None if self.warm_start else DEFAULT
        return None if self.weights == NONE else self.weights

    @functools.cached_property
    def start_reference(self) -> Tag | Hub | Folder | File | Checkpoint | None:
        """What `start_weights` means, as `lambda_keras.weights.reference.parse` says it.

        Raises:
            UserError: It starts like a repository of the Hub, and is none.
        """
        if self.start_weights is None:
            return None
        with errors_of_weights():
            return reference.parse(self.start_weights, self.model)

    def command(self, epochs: int) -> str:
        """The command that trains so many epochs in the second phase, as the budget allowed this time."""
        words = ["lambda-zoo", "fine-tune"]
        values = vars(self) | ({"epochs": epochs} if self.budget else {})
        for name in ("data", "data_dir", "model", "weights", "warm_start", "head_epochs", "epochs", "seed", "out"):
            if (value := values[name]) is not None:
                words += [f"--{name.replace('_', '-')}", str(value)]
        words += ["--colour"] if self.colour else []
        words += ["--class-weights"] if self.class_weights else []
        return shlex.join([*words, *self.overrides])
