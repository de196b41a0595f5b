"""Masks: COCO's encodings, crops to an object's box for training, and masks that are pasted into a box.

Everywhere a mask of few cells covers its box evenly, and a cell or pixel counts as its centre.
"""

import zlib
from typing import Any

import numpy as np
import tensorflow as tf
from pycocotools import mask as coco_masks

from lambda_keras.zoo.data.images.requirement import require
from lambda_keras.zoo.detection.data.json_file import is_kind

# Rows and columns of a crop, as in tf-models-official (`mask_crop_size`).
MASK_SIZE = 112
_BYTES = MASK_SIZE**2 // 8
# Of a run length in COCO's compressed text.
_MOST_BITS = 40
# The outline of an object's polygons, in pixels: COCO's tools take 120 bytes for each.
_LONGEST_OUTLINE = 2_000_000
# Of a crop of noise, which does not compress.
_LONGEST_CROP = _BYTES + 64


def encode(segmentation: Any, height: int, width: int) -> bytes:
    """Brings a mask to COCO's compressed encoding.

    Args:
        segmentation: As in COCO's JSON: a list of polygons, an object with `counts` (a list, or the compressed text)
            and `size`.
        height: Of the picture, in pixels.
        width: The same.

    Returns:
        What COCO calls `counts`.

    Raises:
        ValueError: It is no mask, or one of a picture of another size.
    """
    if isinstance(segmentation, list):
        _check_polygons(segmentation, height, width)
        return coco_masks.merge(coco_masks.frPyObjects(segmentation, height, width))["counts"]
    if not isinstance(segmentation, dict) or segmentation.get("size") != [height, width]:
        raise ValueError("a mask is a list of polygons, or run lengths for the size of the picture")
    counts = segmentation.get("counts")
    if isinstance(counts, list):
        if not all(is_kind(count, int) and 0 <= count <= height * width for count in counts):
            raise ValueError("run lengths are whole numbers of pixels")
        if sum(counts) != height * width:
            raise ValueError("the run lengths are not those of all pixels of the picture")
        return coco_masks.frPyObjects(segmentation, height, width)["counts"]
    if not isinstance(counts, str) or not counts.isascii():
        raise ValueError("run lengths are a list or a compressed text")
    runs = _runs(counts.encode())
    # COCO's tools leave what a text lacks as memory was before.
    if sum(runs) != height * width or min(runs) < 0:
        raise ValueError("the run lengths are not those of all pixels of the picture")
    return counts.encode()


def crop(counts: bytes, height: int, width: int, coco_box: tuple[float, float, float, float]) -> bytes:
    """Cuts a mask out along the box of its object, in `MASK_SIZE` rows and columns, and compresses it.

    Args:
        counts: From `encode`.
        height: Of the picture, in pixels.
        width: The same.
        coco_box: x, y, width and height in pixels.

    Returns:
        The bits, row by row, compressed by zlib.
    """
    x, y, box_width, box_height = coco_box
    top, bottom, down = _between(y, box_height, height)
    left, right, across = _between(x, box_width, width)
    pixels = _columns(_runs(counts), height, left[0], right[-1] + 1)
    down = down[:, np.newaxis]
    rows = pixels[top] * (1 - down) + pixels[bottom] * down
    values = rows[:, left - left[0]] * (1 - across) + rows[:, right - left[0]] * across
    return zlib.compress(np.packbits(values >= 0.5).tobytes())


def unpack(crops: tf.Tensor) -> tf.Tensor:
    """Undoes the packing of `crop`, in a graph.

    Args:
        crops: string `[objects]`.

    Returns:
        uint8 `[objects, MASK_SIZE, MASK_SIZE]`, 0 or 1.

    Raises:
        tf.errors.InvalidArgumentError: One is not from `crop`.
    """
    is_short = tf.reduce_all(tf.strings.length(crops) <= _LONGEST_CROP)
    with tf.control_dependencies([require((is_short, "a mask that is too long"))]):
        packed = tf.io.decode_raw(tf.io.decode_compressed(crops, "ZLIB"), tf.uint8)
    packed = tf.reshape(packed, [tf.size(crops), _BYTES, 1])
    bits = tf.bitwise.right_shift(packed, tf.constant([7, 6, 5, 4, 3, 2, 1, 0], tf.uint8)) % 2
    return tf.reshape(bits, [-1, MASK_SIZE, MASK_SIZE])


def paste(mask: np.ndarray, box: np.ndarray, height: int, width: int) -> bytes:
    """Puts the mask of a detection where its box is in the picture, as Mask R-CNN does.

    Values are interpolated, those outside of the box are 0, and what is above one half belongs to the object
    (https://arxiv.org/abs/1703.06870, section 3.1).

    Args:
        mask: `[rows, columns]`, probabilities.
        box: ymin, xmin, ymax and xmax in pixels of the picture.
        height: Of the picture, in pixels.
        width: The same.

    Returns:
        What COCO calls `counts`.
    """
    ymin, xmin, ymax, xmax = (float(side) for side in box)
    top, down = _weights(ymin, ymax, height, mask.shape[0])
    left, across = _weights(xmin, xmax, width, mask.shape[1])
    pasted = np.zeros((height, width), "uint8", order="F")
    values = down @ np.asarray(mask, "float32") @ across.T
    pasted[top : top + len(down), left : left + len(across)] = values > 0.5
    return coco_masks.encode(pasted)["counts"]


def _check_polygons(polygons, height, width):
    # What reaches far out of the picture is a mistake, and would take memory for its outline.
    farthest = 2 * max(height, width)
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon is a list of x and y of at least three points")
        if not all(is_kind(value, float) and -farthest <= value <= farthest for value in polygon):
            raise ValueError("a polygon has points far outside of its picture")
    if not polygons:
        raise ValueError("a mask without polygons")
    if sum(map(_outline, polygons)) > _LONGEST_OUTLINE:
        raise ValueError(f"a mask with an outline of more than {_LONGEST_OUTLINE:,} pixels")


def _outline(polygon):
    """Its length, of slanting edges that along the axis in which they are longer."""
    points = np.reshape(polygon, [-1, 2])
    return np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum()


def _runs(counts):
    """Reads COCO's compressed text: how many pixels are 0, 1, 0 and so on, column by column.

    Numbers are written in digits of base 32, the lowest first, from the fourth on as differences to the last but one.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for byte in counts:
        digit = byte - ord("0")
        if not 0 <= digit < 64:
            raise ValueError("run lengths with a letter that is no digit of them")
        value |= (digit & 31) << shift
        shift += 5
        if shift > _MOST_BITS:
            raise ValueError("run lengths of too many digits")
        if not digit & 32:
            value -= (digit & 16) // 16 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    # COCO's tools would read on behind the end of the text.
    if shift:
        raise ValueError("run lengths whose last number is cut off")
    return runs


def _columns(runs, height, first, end):
    """Some columns of a mask, uint8 `[height, end - first]`."""
    ends = np.clip(np.cumsum(runs), first * height, end * height)
    lengths = np.diff(ends, prepend=first * height)
    return np.repeat((np.arange(len(runs)) % 2).astype("uint8"), lengths).reshape(end - first, height).T


def _between(start, length, pixels):
    """For each cell of a crop the two pixels that its centre is between, and how near it is to the second."""
    places = start + (np.arange(MASK_SIZE) + 0.5) * length / MASK_SIZE - 0.5
    lower = np.floor(places)
    first, second = (np.clip(pixel, 0, pixels - 1).astype(int) for pixel in (lower, lower + 1))
    return first, second, places - lower


def _weights(start, end, pixels, cells):
    """The first pixel of a box, and how much each cell counts for each of its pixels, float32 `[pixels, cells]`."""
    first, last = (int(np.clip(place, 0, pixels)) for place in (np.floor(start), np.ceil(end)))
    centres = np.arange(first, last) + 0.5
    places = (centres - start) * cells / max(end - start, 1e-6) - 0.5
    return first, np.maximum(1 - np.abs(places[:, np.newaxis] - np.arange(cells)), 0).astype("float32")
