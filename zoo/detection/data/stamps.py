"""Pictures composed from the stamps of Tux Paint, as COCO data: small, exact, and there without a network.

The stamps are PNG files with transparency, in Debian's package `tuxpaint-stamps-default`. They are under the GPL, and
so is what is composed from them; neither is part of this project.
"""

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from pycocotools import mask as coco_masks

from lambda_keras.atomic import replacing
from lambda_keras.zoo.errors import UserError, writing_to

# The folders that have enough stamps to be split by file.
CATEGORIES = ("animals", "food", "household", "plants", "seasonal", "symbols", "town", "vehicles")
PARTS = ("train", "val")
VALIDATION_SHARE = 0.2
# Of a picture, in pixels; objects that COCO calls large need 96² of them.
SIDE = 320
# Of a stamp's longer side, in pixels.
SHORTEST, LONGEST = 20, 220
# What a stamp must show of itself, in pixels, and what must stay of one below another.
FEWEST_PIXELS = 32
VISIBLE_SHARE = 0.5
MOST_STAMP_PIXELS = 16_000_000
_OPAQUE = 128

_LICENCE = {"id": 1, "name": "GPL-2.0-or-later", "url": "https://www.gnu.org/licenses/old-licenses/gpl-2.0.html"}
_README = """# Pictures composed from stamps

{counts} of {side}×{side} pixels with up to {most_stamps} stamps each, of {categories} categories, from
Tux Paint's stamps (Copyright 2002-2022 by Bill Kendrick and contributors, https://tuxpaint.org/stamps/), seed {seed}.
No stamp is in both parts.

**Licence:** the stamps are under the GNU General Public License, version 2 or later, and so are these pictures. Debian
has the text in /usr/share/common-licenses/GPL-2.
"""


class Stamp(NamedTuple):
    """A stamp.

    Attributes:
        path: Its file.
        image: A `PIL.Image.Image` in RGBA, without the empty edges, and no larger than it is ever used.
    """

    path: Path
    image: Image.Image


class Placed(NamedTuple):
    """A stamp in a picture.

    Attributes:
        category: Its number among `CATEGORIES`, from 1.
        mask: bool `[SIDE, SIDE]`: the pixels at which it is seen.
        pixels: How many were seen before another stamp came over it.
    """

    category: int
    mask: np.ndarray
    pixels: int


def compose(
    stamps_folder: str | os.PathLike,
    out: str | os.PathLike,
    *,
    train_pictures: int,
    val_pictures: int,
    seed: int,
    most_stamps: int = 6,
) -> None:
    """Writes pictures and their objects in COCO's format.

    The folder gets `train/` and `val/`, `instances_train.json` and `instances_val.json`, and a `README.md`.

    The same seed gives the same bytes, with the same Pillow. A picture is a function of the seed, its part and its
    number alone: more pictures do not change those before.

    Args:
        stamps_folder: Where the package has them: `/usr/share/tuxpaint/stamps`.
        out: The folder to write, which is not there or empty.
        train_pictures: How many pictures to train on.
        val_pictures: How many to evaluate with.
        seed: Integer for everything that is drawn.
        most_stamps: A picture has 1 to this many, less those that would hide others.

    Raises:
        UserError: There are no such stamps, or the folder has something in it or cannot be written.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already and not empty; give another folder")
    parts = split(find(stamps_folder))
    counts = dict(zip(PARTS, (train_pictures, val_pictures), strict=True))
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        text = _README.format(
            counts=" and ".join(f"{count:,} pictures ({part})" for part, count in counts.items()),
            side=SIDE,
            most_stamps=most_stamps,
            categories=len(CATEGORIES),
            seed=seed,
        )
        (out / "README.md").write_text(text, encoding="utf-8")
        for part, count in counts.items():
            _write_part(out, part, count, parts[part], seed, most_stamps)


def find(folder: str | os.PathLike) -> dict[str, list[Stamp]]:
    """Reads the stamps of each category that have something transparent and something opaque.

    Mirrored copies of another stamp are left out.

    Args:
        folder: The folder with a folder for each of `CATEGORIES`.

    Returns:
        For each category the stamps in the order of their paths.

    Raises:
        UserError: A category has fewer than two stamps, or one cannot be read.
    """
    found = {}
    for category in CATEGORIES:
        paths = sorted(Path(folder, category).rglob("*.png"))
        copies = ("_mirror.png", "_flip.png")
        stamps = (_read(path) for path in paths if not path.name.endswith(copies))
        found[category] = [stamp for stamp in stamps if stamp is not None]
        if len(found[category]) < 2:
            raise UserError(
                f"{Path(folder, category)} has {len(found[category])} stamps (PNG files with transparency), not 2; "
                "give the stamps of Debian's package tuxpaint-stamps-default (/usr/share/tuxpaint/stamps)"
            )
    return found


def split(stamps: dict[str, list[Stamp]]) -> dict[str, dict[str, list[Stamp]]]:
    """Divides the stamps of each category: those are for evaluation whose files' names have the smallest hashes.

    Args:
        stamps: From `find`.

    Returns:
        For each part the stamps of each category.
    """
    parts: dict[str, dict[str, list[Stamp]]] = {part: {} for part in PARTS}
    for category, of_category in stamps.items():
        by_hash = sorted(of_category, key=lambda stamp: hashlib.sha256(os.fsencode(stamp.path.name)).digest())
        count = max(round(len(by_hash) * VALIDATION_SHARE), 1)
        parts["val"][category], parts["train"][category] = by_hash[:count], by_hash[count:]
    return parts


def compose_picture(
    stamps: dict[str, list[Stamp]], generator: random.Random, most_stamps: int
) -> tuple[Image.Image, list[Placed]]:
    """Draws a background and stamps on it, one over the other.

    Args:
        stamps: For each category its stamps.
        generator: What draws.
        most_stamps: How many stamps to try at most.

    Returns:
        The picture in RGB, and what is seen of each stamp.
    """
    picture = _background(generator)
    placed: list[Placed] = []
    for _ in range(generator.randint(1, most_stamps)):
        category = generator.randrange(len(CATEGORIES))
        image = generator.choice(stamps[CATEGORIES[category]]).image
        scale = SHORTEST * (LONGEST / SHORTEST) ** generator.random() / max(image.size)
        image = image.resize([max(round(side * scale), 1) for side in image.size], Image.Resampling.BICUBIC)
        left, top = (generator.randint(0, SIDE - side) for side in image.size)
        layer = Image.new("RGBA", picture.size)
        layer.paste(image, (left, top))
        mask = np.asarray(layer)[:, :, 3] >= _OPAQUE
        pixels = int(mask.sum())
        rest = [below._replace(mask=below.mask & ~mask) for below in placed]
        if pixels >= FEWEST_PIXELS and all(below.mask.sum() >= VISIBLE_SHARE * below.pixels for below in rest):
            picture = Image.alpha_composite(picture, layer)
            placed = [*rest, Placed(category + 1, mask, pixels)]
    return picture.convert("RGB"), placed


def _read(path):
    """A stamp without its empty edges; `None` where nothing of it is transparent, or all."""
    try:
        with Image.open(path, formats=["PNG"]) as file:
            if file.width * file.height > MOST_STAMP_PIXELS:
                raise UserError(f"{path} has more than {MOST_STAMP_PIXELS:,} pixels; take it out of the stamps")
            image = file.convert("RGBA")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read the stamp {path} ({error}); take it out of the stamps") from error
    is_opaque = np.asarray(image)[:, :, 3] >= _OPAQUE
    if is_opaque.all() or not is_opaque.any():
        return None
    rows, columns = (np.flatnonzero(is_opaque.any(axis)) for axis in (1, 0))
    image = image.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BICUBIC)
    return Stamp(path, image)


def _background(generator):
    """One colour that fades into another, from left to right or from top to bottom."""
    first, second = ([generator.randrange(256) for _ in "RGB"] for _ in range(2))
    fade = np.linspace(0, 1, SIDE)[:, np.newaxis]
    line = np.round(np.array(first) * (1 - fade) + np.array(second) * fade).astype("uint8")
    pixels = np.broadcast_to(line, (SIDE, SIDE, 3))
    if generator.random() < 0.5:
        pixels = pixels.transpose(1, 0, 2)
    return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGBA")


def _write_part(out, part, count, stamps, seed, most_stamps):
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (out / part).mkdir()
    for number in range(1, count + 1):
        picture, placed = compose_picture(stamps, random.Random(f"{seed} {part} {number}"), most_stamps)
        name = f"{number:06}.jpg"
        with replacing(out / part / name) as partial:
            picture.save(partial, "JPEG", quality=90, subsampling=0)
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE, "license": _LICENCE["id"]})
        annotations += [_annotation(len(annotations) + row, number, stamp) for row, stamp in enumerate(placed, 1)]
    content = {
        "info": {
            "description": f"Stamps of Tux Paint in pictures, part {part}, seed {seed}; under the {_LICENCE['name']}",
            "url": "https://tuxpaint.org/stamps/",
        },
        "licenses": [_LICENCE],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, 1)],
        "images": images,
        "annotations": annotations,
    }
    with replacing(out / f"instances_{part}.json") as partial:
        partial.write_text(json.dumps(content), encoding="utf-8")


def _annotation(number, image_id, placed):
    encoded = coco_masks.encode(np.asfortranarray(placed.mask, "uint8"))
    return {
        "id": number,
        "image_id": image_id,
        "category_id": placed.category,
        "segmentation": {"size": [SIDE, SIDE], "counts": encoded["counts"].decode("ascii")},
        "area": int(coco_masks.area(encoded)),
        "bbox": coco_masks.toBbox(encoded).tolist(),
        "iscrowd": 0,
    }
