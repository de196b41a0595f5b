"""Pictures with the boxes, masks and names of their objects drawn on them."""

import colorsys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pycocotools import mask as coco_masks

from lambda_keras.zoo import fonts

# Of a mask, how much its colour covers.
OPACITY = 0.45
# Of a letter and of a line, in shares of the longer side of the picture, and in pixels at least.
LETTER_SHARE, SMALLEST_LETTER = 1 / 45, 11
LINE_SHARE, THINNEST_LINE = 1 / 400, 2
LONGEST_NAME = 40


class Drawn(NamedTuple):
    """An object to draw.

    Attributes:
        box: ymin, xmin, ymax and xmax in pixels.
        text: What is written on it, such as its name and score.
        label: Its class, from which its colour is made.
        mask: Of the whole picture, as COCO's compressed run lengths (`size` and `counts`), for masks of all objects of
            a large picture would take gigabytes; `None` for a box alone.
    """

    box: Sequence[float]
    text: str
    label: int
    mask: dict[str, Any] | None


def draw(pixels: np.ndarray, objects: Sequence[Drawn]) -> Image.Image:
    """Draws objects on a picture, the first one on top.

    Letters that no font of the machine has become empty boxes.

    Args:
        pixels: uint8 `[height, width, 3]`.
        objects: What to draw.

    Returns:
        A `PIL.Image.Image` of the same size in RGB.
    """
    longer = max(pixels.shape[:2])
    canvas = pixels.copy()
    for drawn in reversed(objects):
        if drawn.mask is not None:
            inside = coco_masks.decode(drawn.mask).astype(bool)
            for channel, value in enumerate(colour(drawn.label)):
                # Of each of the 256 values that a pixel may have.
                mixed = np.round(np.arange(256) * (1 - OPACITY) + value * OPACITY).astype("uint8")
                canvas[inside, channel] = mixed[canvas[inside, channel]]
    image = Image.fromarray(canvas)
    brush = ImageDraw.Draw(image)
    letter = max(round(longer * LETTER_SHARE), SMALLEST_LETTER)
    width = max(round(longer * LINE_SHARE), THINNEST_LINE)
    for drawn in reversed(objects):
        ymin, xmin, ymax, xmax = map(float, drawn.box)
        brush.rectangle((xmin, ymin, max(xmax, xmin), max(ymax, ymin)), outline=colour(drawn.label), width=width)
        if drawn.text:
            _write(brush, drawn, letter, image.size)
    return image


def colour(label: int) -> tuple[int, int, int]:
    """The colour of a class in RGB: those of neighbours are far from each other on the colour wheel.

    Args:
        label: The class.
    """
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1, 0.85, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def sheet(images: Sequence[Image.Image], columns: int, side: int) -> Image.Image:
    """Lays pictures out in a grid, each as large as fits into its cell.

    Args:
        images: At least one picture.
        columns: How many in a row.
        side: Of a cell in pixels.

    Returns:
        A picture in RGB.
    """
    rows = -(-len(images) // columns)
    gap = 4
    result = Image.new("RGB", (columns * (side + gap) + gap, rows * (side + gap) + gap), "white")
    for number, image in enumerate(images):
        small = image.copy()
        small.thumbnail((side, side))
        row, column = divmod(number, columns)
        result.paste(small, (gap + column * (side + gap), gap + row * (side + gap)))
    return result


def _write(brush, drawn, letter, size):
    """Writes on the upper left corner of a box; inside of the picture, wherever the box is."""
    text = drawn.text if len(drawn.text) <= LONGEST_NAME else f"{drawn.text[: LONGEST_NAME - 1]}…"
    pieces, boxes, end = [], [], 0.0
    for path, piece in fonts.pieces(text):
        font = ImageFont.truetype(path, letter)
        boxes.append(brush.textbbox((end, 0), piece, font=font, anchor="ls"))
        pieces.append((end, piece, font))
        end += font.getlength(piece)
    left, top = (min(box[side] for box in boxes) for side in (0, 1))
    right, bottom = (max(box[side] for box in boxes) for side in (2, 3))
    width, height = right - left + 4, bottom - top + 4
    x = min(max(float(drawn.box[1]), 0), max(size[0] - width, 0))
    y = min(max(float(drawn.box[0]) - height, 0), max(size[1] - height, 0))
    background = colour(drawn.label)
    brush.rectangle((x, y, x + width, y + height), fill=background)
    is_bright = np.dot(background, (0.299, 0.587, 0.114)) > 140
    for start, piece, font in pieces:
        place = (x + 2 - left + start, y + 2 - top)
        brush.text(place, piece, font=font, anchor="ls", fill="black" if is_bright else "white")
