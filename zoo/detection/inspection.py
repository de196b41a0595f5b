"""`lambda-zoo detect inspect-data`: what data of pictures with objects are, and how training images of them look."""

from pathlib import Path

import numpy as np
from pycocotools import mask as coco_masks

from lambda_keras.atomic import replacing
from lambda_keras.zoo.command_line import narrate, say
from lambda_keras.zoo.data.files.class_names import alike
from lambda_keras.zoo.detection import drawing
from lambda_keras.zoo.detection.data import catalog
from lambda_keras.zoo.detection.data.input_pipeline import training_batches
from lambda_keras.zoo.detection.record import LARGEST_IMAGE
from lambda_keras.zoo.errors import UserError, writing

ROWS, COLUMNS = 3, 4
# Of a picture in the sheet, in pixels.
CELL = 320


def inspect_data(
    data: str,
    part: str = "train",
    images: str | Path | None = None,
    data_dir: str | Path | None = None,
    with_masks: bool = True,
    image_size: int = CELL,
    seed: int = 0,
    out: str | Path = "data.png",
) -> None:
    """Prints what there is and what was left out, and draws the first images of a training, jittered and flipped.

    Args:
        data: As for `lambda_keras.zoo.detection.data.catalog.load`, and so the next four.
        part: Which part of the data.
        images: The folder of the pictures.
        data_dir: The folder of TensorFlow Datasets.
        with_masks: Whether masks are needed.
        image_size: Side of the images in pixels.
        seed: Of the order and of the jitter.
        out: The PNG file to write.

    Raises:
        UserError: The data are missing or damaged, or the file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != ".png" or not out.parent.is_dir():
        raise UserError(f"--out takes a .png file in a folder that exists, got {out}")
    if not 1 <= image_size <= LARGEST_IMAGE:
        raise UserError(f"--image-size must be 1 to {LARGEST_IMAGE}, got {image_size}")
    loaded = catalog.load(data, part, with_masks, images, data_dir)
    names = [category.name for category in loaded.categories]
    for line in (*loaded.lines(), f"{len(names):,} categories: {', '.join(names)}", *alike(names)):
        say(line)
    batches = training_batches(
        loaded, image_size=image_size, batch_size=ROWS * COLUMNS, seed=seed, with_masks=with_masks
    )
    batch = next(batches.as_numpy_iterator())
    drawn = [_drawn({name: values[row] for name, values in batch.items()}, names) for row in range(ROWS * COLUMNS)]
    with writing(out), replacing(out) as partial:
        drawing.sheet(drawn, COLUMNS, CELL).save(partial, "PNG")
    print(f"could not be read: {(~batch['valid']).sum()} of the {len(drawn)} images shown")
    narrate(f"Wrote {out}")


def _drawn(example, names):
    """One image of a batch with its objects."""
    side = example["image"].shape[0]
    objects = []
    for row in np.flatnonzero(example["classes"] > 0):
        mask = None
        if "masks" in example:
            whole = _whole(example["masks"][row], example["mask_frames"][row], side)
            mask = coco_masks.encode(np.asfortranarray(whole))
        label = int(example["classes"][row])
        objects.append(drawing.Drawn(example["boxes"][row], names[label - 1], label, mask))
    return drawing.draw(example["image"], objects)


def _whole(mask, frame, side):
    """A mask in the pixels of the image, of which each takes the cell of the mask that its centre is in."""
    ymin, xmin, ymax, xmax = map(float, frame)
    centres = np.arange(side) + 0.5
    rows, inside_rows = _cells(centres, ymin, ymax, mask.shape[0])
    columns, inside_columns = _cells(centres, xmin, xmax, mask.shape[1])
    return mask[np.ix_(rows, columns)] * np.outer(inside_rows, inside_columns).astype("uint8")


def _cells(centres, start, end, count):
    places = np.floor((centres - start) / max(end - start, 1e-6) * count)
    return np.clip(places, 0, count - 1).astype(int), (places >= 0) & (places < count)
