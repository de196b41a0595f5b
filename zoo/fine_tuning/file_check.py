"""Reads every image once: which are broken, how large they are, and which are the same file."""

import functools
import hashlib
import os
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import tensorflow as tf

from lambda_keras.zoo.command_line import progress_bar
from lambda_keras.zoo.data.images import image_bytes
from lambda_keras.zoo.data.images.decoding import image_size, why
from lambda_keras.zoo.data.images.image_bytes import ImageFileError
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.data.sources.image_table import Row
from lambda_keras.zoo.data.sources.listing import LeftOut, Listing
from lambda_keras.zoo.errors import UserError

# A file that is in several parts is kept in the first of these: a test on what was seen in training says nothing.
BY_IMPORTANCE = ("test", "validation", "train", None)


@dataclass(frozen=True)
class Image:
    """An image that can be read.

    Attributes:
        row: Its `lambda_keras.zoo.data.sources.image_table.Row`.
        digest: SHA-256 of the file.
        height: Its height in pixels.
        width: Its width.
    """

    row: Row
    digest: bytes
    height: int
    width: int


@dataclass(frozen=True)
class FileCheck:
    """What is left of a listing.

    Attributes:
        images: The `Image`s to train and test on, in the order of the listing.
        left_out: A `LeftOut` for each file and class that is not among them, those of the listing first.
        copies: How many of the images are the same file as an earlier one of their class and split.
    """

    images: tuple[Image, ...]
    left_out: tuple[LeftOut, ...]
    copies: int


def check(listing: Listing, most_pixels: int = MOST_PIXELS) -> FileCheck:
    """Reads all images and leaves out what cannot be trained on.

    Left out are files that cannot be decoded, files that are in two classes (which of the two is right is not known),
    and files of the training part that are in another part too (of the validation part: in the test part). Other
    copies stay. Of classes without training images nothing stays.

    Args:
        listing: A `lambda_keras.zoo.data.sources.listing.Listing`.
        most_pixels: How many pixels an image may have.

    Returns:
        A `FileCheck`.

    Raises:
        UserError: Fewer than two classes are left.
    """
    images, left_out = _read(listing, most_pixels)
    images = _leave_out(_in_two_classes, images, left_out)
    images = _leave_out(_in_two_parts, images, left_out)
    images = _leave_out(_without_training, images, left_out)
    classes = {image.row.label for image in images}
    lost = {row.label: row.path.parent for row in listing.rows if row.label not in classes}
    left_out += [LeftOut(folder, "a class of which no image is left") for folder in lost.values()]
    if len(classes) < 2:
        reasons = Counter(file.reason for file in left_out).most_common(3)
        raise UserError(
            f"training needs images of at least 2 classes, found {len(classes)} ({', '.join(classes) or 'none'})"
            + "".join(f"; left out: {count} ({reason})" for reason, count in reasons)
        )
    # Copies without a split will be given the same one, see `splitting`.
    distinct = {(image.digest, image.row.split) for image in images}
    return FileCheck(tuple(images), tuple(left_out), len(images) - len(distinct))


def _read(listing, most_pixels):
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        reading = executor.map(functools.partial(_read_file, most_pixels=most_pixels), listing.rows)
        results = list(progress_bar(reading, desc="reading", total=len(listing.rows), unit="image"))
    images = [result for result in results if isinstance(result, Image)]
    return images, [*listing.left_out, *(result for result in results if isinstance(result, LeftOut))]


def _read_file(row, most_pixels):
    try:
        encoded = image_bytes.read(row.path, most_pixels)
        height, width = image_size(encoded, most_pixels)
    except ImageFileError as error:
        return LeftOut(row.path, error.reason)
    except tf.errors.InvalidArgumentError as error:
        return LeftOut(row.path, why(error))
    return Image(row, hashlib.sha256(encoded).digest(), height, width)


def _leave_out(find_reasons, images, left_out):
    """Moves the images for which a reason is found to `left_out`, and returns the others."""
    reasons = find_reasons(images)
    kept = []
    for image, reason in zip(images, reasons, strict=True):
        kept.append(image) if reason is None else left_out.append(LeftOut(image.row.path, reason))
    return kept


def _in_two_classes(images):
    labels = defaultdict(set)
    for image in images:
        labels[image.digest].add(image.row.label)
    return ["the same file in two classes" if len(labels[image.digest]) > 1 else None for image in images]


def _in_two_parts(images):
    parts = defaultdict(set)
    for image in images:
        parts[image.digest].add(image.row.split)

    def reason(image):
        keeps = min(parts[image.digest], key=BY_IMPORTANCE.index)
        return None if image.row.split == keeps else f"in {image.row.split}, the same file as one of {keeps}"

    return [reason(image) for image in images]


def _without_training(images):
    trained = {image.row.label for image in images if image.row.split in ("train", None)}
    return [None if image.row.label in trained else "of a class without training images" for image in images]
