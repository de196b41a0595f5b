"""The card of a trained detector: what it is, what was measured of it, and apart from that what the paper says."""

import csv
import importlib.resources
import math
from collections.abc import Sequence

import keras

from lambda_keras.text import escaped
from lambda_keras.version import __version__
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.detection.record import DetectorRecord
from lambda_keras.zoo.training.task import Row

CARD = """# {architecture} on {backbone}

Written by `lambda-zoo detect train` of lambda-keras {version}.

| | |
|---|---|
| finds | {classes:,} kinds of objects: {names} |
| returns | {returns} |
| images | {image_size}×{image_size} pixels, normalised with mean {mean}, standard deviation {std} |
| trainable parameters | {parameters:,} |
| trained | {steps:,} steps of {batch_size:,} pictures; `recipe.yaml` has all settings |
{licences}
## Measured in this training

On the {pictures:,} pictures that it was evaluated with; "–" where there was nothing to find.

{measured}
{paper}
## Use

```sh
lambda-zoo detect predict . photo.jpg --out found
```

The layers are those of LambdaNetworks (Bello, ICLR 2021, https://arxiv.org/abs/2102.08602).
"""
PAPER = """
## The paper's figures

Of this network, trained on COCO with the paper's settings, as printed there ({source}); they were not measured here.

{table}
"""
NAMES = {"mask_rcnn": "Mask R-CNN", "retinanet": "RetinaNet"}
# What a figure is called in a table, by its name in `results.csv` or in a row of `metrics.csv`.
TITLES = {
    "ap": "AP of {kind} (%)",
    "ap50": "AP50 of {kind} (%)",
    "ap_small": "{kind}, small",
    "ap_medium": "{kind}, medium",
    "ap_large": "{kind}, large",
}
KINDS = {"box": "boxes", "mask": "masks"}
MOST_NAMES = 10


def render(
    recipe: DetectorRecipe, record: DetectorRecord, model: keras.Model, row: Row, licences: Sequence[str] = ()
) -> str:
    """The text of the card.

    Args:
        recipe: What the detector was trained by.
        record: Its `lambda_keras.zoo.detection.record.DetectorRecord`.
        model: The detector.
        row: The row of `metrics.csv` that the model is of.
        licences: The names of those that the pictures are under; without one, the card says nothing of them.

    Returns:
        Markdown.
    """
    figures = {name.removeprefix("val_"): value for name, value in row.items() if name.startswith("val_")}
    pictures = int(figures.pop("images") or 0)
    percentages = {name: "–" if value is None else f"{100 * value:.1f}" for name, value in figures.items()}
    return CARD.format(
        architecture=NAMES[recipe.model.architecture],
        backbone=recipe.model.backbone,
        version=__version__,
        classes=len(record.class_names),
        names=_cells(record.class_names),
        returns="boxes and masks" if record.has_masks else "boxes",
        image_size=recipe.data.image_size,
        mean=list(record.mean),
        std=list(record.std),
        parameters=sum(math.prod(weight.shape) for weight in model.trainable_weights),
        steps=recipe.training.steps,
        batch_size=recipe.training.batch_size,
        pictures=pictures,
        licences=f"| the pictures are under | {_cells(licences)} |\n" if licences else "",
        measured=_table(percentages),
        paper=_paper(recipe),
    )


def _paper(recipe):
    """The paper's figures of the same network; nothing where there are none."""
    file = importlib.resources.files("lambda_keras.zoo").joinpath("detection", "results.csv")
    for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
        name, source = row.pop("recipe"), row.pop("source")
        if recipe_file.load_as(DetectorRecipe, name).model == recipe.model:
            return PAPER.format(source=source, table=_table(row))
    return ""


def _table(figures):
    """A table of one row, with a column for each figure, `{"box_ap": …}`."""
    titles = []
    for name in figures:
        kind, _, figure = name.partition("_")
        titles.append(TITLES[figure].format(kind=KINDS[kind]))
    lines = (titles, ["---"] * len(titles), figures.values())
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(names):
    """Names as they can stand in a table, or the first of many."""
    words = [escaped(name).replace("|", "\\|") for name in names[:MOST_NAMES]]
    return ", ".join(words) + (", …" if len(names) > MOST_NAMES else "")
