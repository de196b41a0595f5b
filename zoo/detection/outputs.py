"""What the training of a detector writes at its end."""

from pathlib import Path

import keras

from lambda_keras.applications.imagenet import IMAGENET_MEAN, IMAGENET_STD
from lambda_keras.atomic import replacing
from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.detection import card
from lambda_keras.zoo.detection.data.parts import Part
from lambda_keras.zoo.detection.model import MaskRCNN
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.detection.record import DetectorRecord
from lambda_keras.zoo.detection.retinanet import RetinaNet
from lambda_keras.zoo.training.task import Row


def write(
    model: keras.Model,
    config: MaskRCNN | RetinaNet,
    recipe: DetectorRecipe,
    part: Part,
    row: Row,
    folder: Path,
) -> None:
    """Writes the model, with its recipe, its record and its card beside it.

    Args:
        model: The model to export, float32.
        config: What it was built from.
        recipe: What it was trained by.
        part: What it was trained on.
        row: The row of `metrics.csv` that the model is of.
        folder: The run folder.
    """
    with replacing(folder / run_folder.RECIPE) as partial:
        partial.write_text(recipe_file.dump(recipe), encoding="utf-8")
    mean, std = recipe.data.mean or IMAGENET_MEAN, recipe.data.std or IMAGENET_STD
    record = DetectorRecord(config, part.categories, mean, std)
    record.write(folder / run_folder.RECORD)
    with replacing(folder / run_folder.CARD) as partial:
        partial.write_text(card.render(recipe, record, model, row, part.licences), encoding="utf-8")
    with replacing(folder / run_folder.MODEL) as partial:
        model.save(partial)
