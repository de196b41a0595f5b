"""`lambda-zoo inspect-data`: what a recipe's data are, and how its training images look."""

from pathlib import Path

from lambda_keras.atomic import replacing
from lambda_keras.zoo import plots
from lambda_keras.zoo.command_line import narrate, say
from lambda_keras.zoo.data import catalog, class_names, input_pipeline
from lambda_keras.zoo.errors import UserError, writing
from lambda_keras.zoo.recipe import Recipe

ROWS = 6
COLUMNS = 8


def inspect_data(recipe: Recipe, out: str | Path = "data.png", data_dir: str | Path | None = None) -> None:
    """Prints the sizes of a recipe's dataset, and draws its first training images as the model gets to see them.

    The images are those that a training with this recipe begins with, before mixup and CutMix, which mix batches.

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

    batches = input_pipeline.training_batches(
        dataset.train, dataset, data, batch_size=ROWS * COLUMNS, seed=recipe.training.seed
    )
    batch = next(batches.as_numpy_iterator())
    names = [dataset.class_names[label] for label in input_pipeline.labels(batch["target"]).numpy()]
    with writing(out), replacing(out) as partial:
        plots.contact_sheet(batch["image"], names, batch["valid"], COLUMNS, partial)
    print(f"could not be read: {(~batch['valid']).sum()} of the {ROWS * COLUMNS} images shown")
    narrate(f"Wrote {out}")
