"""`lambda-zoo inspect-data`: what a recipe's data are, and how its training images look."""

from pathlib import Path

import numpy as np

from lambda_keras.atomic import replacing
from lambda_keras.zoo import plots
from lambda_keras.zoo.command_line import narrate, say
from lambda_keras.zoo.data import catalog, input_pipeline
from lambda_keras.zoo.data.files import class_names
from lambda_keras.zoo.data.sources import pseudo_labels
from lambda_keras.zoo.errors import UserError, writing
from lambda_keras.zoo.recipe import Recipe
from lambda_keras.zoo.training import co_training, randomness

ROWS = 6
COLUMNS = 8


def inspect_data(recipe: Recipe, out: str | Path = "data.png", data_dir: str | Path | None = None) -> None:
    """Prints the sizes of a recipe's dataset, and draws its first training images as the model gets to see them.

    The images are those that a training with this recipe begins with, before mixup and CutMix, which mix batches. Below
    the labelled ones are as many pseudo-labelled ones where the recipe has `data.pseudo`, each with its most probable
    class and the probability of that.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        out: The PNG file to write.
        data_dir: As for `lambda_keras.zoo.data.catalog.load`.

    Raises:
        UserError: The data are missing or do not fit the recipe, or the file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != ".png" or not out.parent.is_dir():
        raise UserError(f"--out takes a .png file in a folder that exists, got {out}")
    data = recipe.data
    dataset = catalog.load(data, data_dir)
    for part in ("train", "validation", "test"):
        print(f"{part}: {getattr(dataset, part).count:,} images")
    print(f"classes: {len(dataset.class_names):,}")
    for remark in class_names.alike(dataset.class_names):
        say(remark)

    sheet = [_first_images(dataset.train, dataset, data, recipe.training.seed)]
    if data.pseudo is not None:
        pseudo = pseudo_labels.load(data.pseudo.folder, dataset.class_names, data.pseudo.streams)
        say(f"pseudo-labelled: {pseudo.split.count:,} images, by {pseudo.teacher}, {data.pseudo.share:.4g} of a batch")
        seed = randomness.stream_seed(recipe.training.seed, co_training.STREAM)
        sheet.append(_first_images(pseudo.split, dataset, data.of_pseudo, seed))
    images, names, valid = (np.concatenate(column) for column in zip(*sheet, strict=True))
    with writing(out), replacing(out) as partial:
        plots.contact_sheet(list(images), names, valid, COLUMNS, partial)
    print(f"could not be read: {(~valid).sum()} of the {len(images)} images shown")
    narrate(f"Wrote {out}")


def _first_images(split, dataset, data, seed):
    """The first images of a stream, the words to put above each, and which of them could be read."""
    batches = input_pipeline.training_batches(split, dataset, data, batch_size=ROWS * COLUMNS, seed=seed)
    batch = next(batches.as_numpy_iterator())
    target = batch["target"]
    names = [dataset.class_names[label] for label in input_pipeline.labels(target).numpy()]
    if target.ndim > 1:
        names = [f"{plots.short(name)} {share:.0%}" for name, share in zip(names, target.max(axis=-1), strict=True)]
    return batch["image"], names, batch["valid"]
