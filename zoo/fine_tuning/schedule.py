"""The two recipes of a fine-tuning, by the number of images: first the classifier alone, then the whole network.

Their values are starting points, chosen by experience with other networks; docs/transfer.md has what was measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning.settings import Settings
from lambda_keras.zoo.fine_tuning.start import Start
from lambda_keras.zoo.recipe import Data, Recipe

HEAD = "head"
# Training images up to which a setting holds: epochs, strength of RandAugment, alpha of mixup.
_BY_IMAGES = (
    (1_000, 40, 9, 0.2),
    (10_000, 25, 9, 0.2),
    (100_000, 12, 7, 0.0),
    (float("inf"), 6, 5, 0.0),
)
# Below this many training images BatchNorm's statistics stay those of the start.
FEW_IMAGES = 10_000
# Crops and RandAugment are made for photographs; of smaller images too little is left.
SMALLEST_PHOTOGRAPH = 96
HEAD_LEARNING_RATE = 1e-3
LEARNING_RATE = 3e-4
LEARNING_RATE_FROM_RANDOM = 1e-3
STAGE_DECAY = 0.75


@dataclass(frozen=True)
class Plan:
    """The recipes of both phases.

    Attributes:
        head: That of the first, or `None` where there is one phase only.
        whole: That of the second.
    """

    head: Recipe | None
    whole: Recipe

    @property
    def first(self) -> Recipe:
        """The recipe that begins with the start's weights."""
        return self.head or self.whole

    def describe(self, images: int) -> list[str]:
        """Says in lines what will be done with so many training images."""
        lines = []
        if self.head:
            head = self.head.training
            lines.append(f"phase 1: the classifier alone, epochs: {head.epochs}, learning rate {head.learning_rate:g}")
        training, data = self.whole.training, self.whole.data
        words = ["phase 2: all layers" if self.head else "training: all layers", f"epochs: at most {training.epochs}"]
        words.append(f"steps: {images // training.batch_size} an epoch, with {training.batch_size} images each")
        words.append(f"learning rate {training.learning_rate:g}")
        if training.stage_decay < 1:
            words.append(f"times {training.stage_decay:g} for each stage before the classifier")
        if training.frozen_batch_norm:
            words.append("BatchNorm stays as it was")
        lines.append(", ".join(words))
        words = [f"images: {data.image_size}x{data.image_size}", f"crop {data.crop}"]
        if data.randaugment_layers:
            words.append(f"RandAugment {data.randaugment_layers} x {data.randaugment_magnitude:g}")
        if data.mixup:
            words.append(f"mixup {data.mixup:g}")
        if data.horizontal_flip:
            words.append("mirrored at random (data.horizontal_flip=false where left and right matter)")
        lines.append(", ".join(words))
        return lines


def data_without_number(settings: Settings, values: dict[str, Any]) -> Data:
    """The section `data` of the recipes, as far as the number of images decides on nothing.

    Args:
        settings: A `lambda_keras.zoo.fine_tuning.run.Settings`.
        values: Values of `lambda_keras.zoo.recipe.Data` that are known before the images are looked at.

    Returns:
        A `lambda_keras.zoo.recipe.Data`, with which the images are read first.

    Raises:
        UserError: An override is wrong, or a value does not fit.
    """
    return recipe_file.data_of_values({**values, **_crop(settings, values)}, settings.overrides, "fine-tune")


def _crop(settings, data):
    """What suits the image size, which the user may have changed."""
    size = recipe_file.value_of_override("data.image_size", settings.overrides, data["image_size"])
    if not isinstance(size, int):
        # It is refused with the recipe.
        size = data["image_size"]
    if size >= SMALLEST_PHOTOGRAPH:
        return {"crop": "inception", "randaugment_layers": 2}
    return {"crop": "pad", "crop_padding": max(1, size // 16)}


def whole_recipe(
    settings: Settings,
    start: Start,
    data: dict[str, Any],
    images: int,
    epochs: int | None = None,
    fresh_classifier: bool = False,
) -> Recipe:
    """The recipe in which all layers are trained, for a start without another phase before it.

    Args:
        settings: A `lambda_keras.zoo.fine_tuning.run.Settings`.
        start: A `lambda_keras.zoo.fine_tuning.start.Start`.
        data: Values of `lambda_keras.zoo.recipe.Data` that do not depend on the number of images.
        images: Training images.
        epochs: Its epochs; by default they follow from the number of images.
        fresh_classifier: Whether the classifier of the start is of other classes.

    Returns:
        A `lambda_keras.zoo.recipe.Recipe`.

    Raises:
        UserError: An override is wrong, or a value does not fit.
    """
    _, usual_epochs, magnitude, mixup = next(setting for setting in _BY_IMAGES if images < setting[0])
    epochs = usual_epochs if epochs is None else epochs
    frozen = start.is_pretrained and images < FEW_IMAGES
    crop = _crop(settings, data)
    if "randaugment_layers" in crop:
        crop["randaugment_magnitude"] = magnitude
    values = {
        "model": {
            "name": settings.model,
            "weights": start.weights,
            "fresh_classifier": fresh_classifier,
            "warm_start": start.warm_start,
            # Small folders have few steps, in which the statistics must be found.
            "overrides": {} if frozen else {"batch_norm_momentum": 0.9},
        },
        "data": {**data, **crop, "horizontal_flip": True, "mixup": mixup},
        "training": {
            "epochs": epochs,
            "batch_size": _batch_size(images),
            "optimizer": "adamw",
            "learning_rate": LEARNING_RATE if start.is_pretrained else LEARNING_RATE_FROM_RANDOM,
            "warmup_epochs": min(1, epochs / 10),
            "weight_decay": 0.05,
            "stage_decay": STAGE_DECAY if start.is_pretrained else 1,
            "frozen_batch_norm": frozen,
            "class_weights": settings.class_weights,
            "label_smoothing": 0.1,
            "gradient_clipping": 1,
            "early_stopping_epochs": max(3, epochs // 4),
            "seed": settings.seed,
        },
    }
    return recipe_file.of_values(values, settings.overrides, "fine-tune")


def phases(whole: Recipe, start: Start, epochs_of_head: int | None, out: str | Path) -> Plan:
    """Puts a phase for the classifier alone before a recipe, where the start has layers worth keeping.

    Args:
        whole: From `whole_recipe`.
        start: The `lambda_keras.zoo.fine_tuning.start.Start`.
        epochs_of_head: As for `head_epochs`.
        out: The folder of the fine-tuning; the first phase has one of its own in it.

    Returns:
        A `Plan`.
    """
    epochs_of_head = head_epochs(whole.training.epochs, start, epochs_of_head)
    if not epochs_of_head:
        return Plan(None, whole)
    training = {
        "trained_layers": "head",
        "epochs": epochs_of_head,
        "learning_rate": HEAD_LEARNING_RATE,
        "learning_rate_batch_size": None,
        "warmup_epochs": 0,
        "stage_decay": 1,
        "early_stopping_epochs": None,
    }
    head = whole.model_copy(update={"training": whole.training.model_copy(update=training)})
    result_of_head = str(Path(out, HEAD, run_folder.MODEL))
    # The second phase continues with the classifier of the first.
    changes = {"weights": result_of_head, "fresh_classifier": False, "warm_start": None}
    model = whole.model.model_copy(update=changes)
    return Plan(head, whole.model_copy(update={"model": model}))


def head_epochs(epochs: int, start: Start, asked: int | None = None) -> int:
    """Epochs of the first phase.

    Args:
        epochs: Those of the second.
        start: The `lambda_keras.zoo.fine_tuning.start.Start`.
        asked: How many the user wants, 0 for none; by default a fifth of those of the second where the start is
            pretrained, otherwise none.
    """
    if asked is not None:
        return asked
    return max(1, epochs // 5) if start.is_pretrained else 0


def _batch_size(images):
    """A power of two from 8 to 64 that gives some twenty steps an epoch; fewer than 8 images are one batch."""
    return min(images, next((size for size in (64, 32, 16) if images >= 20 * size), 8))


def epochs_within(
    seconds: float, counts: tuple[int, int, int], images_per_second: float, most: int, head: Callable[[int], int]
) -> int:
    """The epochs of the second phase that a time allows.

    An image in training takes `1 / images_per_second`; in validation and in the first phase a third of that, because
    there is no backward pass through the layers; the test images are looked at three times in the end.

    Args:
        seconds: The time left.
        counts: Images for training, validation and test.
        images_per_second: In training.
        most: Epochs that suffice.
        head: A function from epochs of the second phase to those of the first.

    Returns:
        An integer from 1 to `most`.

    Raises:
        UserError: One epoch takes longer.
    """
    train, validation, test = counts

    def duration(epochs):
        passes = epochs * train + head(epochs) * train / 3 + (epochs + head(epochs)) * validation / 3 + test
        return passes / images_per_second

    if duration(1) > seconds:
        raise UserError(
            f"--budget leaves {max(seconds, 0) / 60:.1f} minutes for the training, but one epoch of it takes about "
            f"{duration(1) / 60:.1f} here, at {images_per_second:.1f} images a second; give more, a smaller --model or "
            "smaller images (data.image_size=…)"
        )
    return max(epochs for epochs in range(1, most + 1) if duration(epochs) <= seconds)
