"""Which images are for training, validation and test, where the source does not say."""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Sequence

from lambda_keras.zoo.fine_tuning.file_check import Image

# Shares of each class, in the order in which few images are given away: of two, one is for training and one for test.
HELD_OUT = {"test": 0.15, "validation": 0.15}


def split(images: Sequence[Image], seed: int) -> tuple[Image, ...]:
    """Gives every image a split.

    A part that no image is in yet is taken from the training images: 15 % of each class, at least one image, but never
    the last one that is left to train on. What is taken follows from the seed and the contents of the files alone, so
    neither names nor other files matter. Copies of a file go together.

    Args:
        images: Sequence of `lambda_keras.zoo.fine_tuning.file_check.Image`; those without a split are for training or
            to be taken.
        seed: An integer; another one gives another split.

    Returns:
        The images, in the same order, each with a split.
    """
    missing = [part for part in HELD_OUT if all(image.row.split != part for image in images)]
    by_class = defaultdict(set)
    for image in images:
        if image.row.split in ("train", None):
            by_class[image.row.label].add(image.digest)
    part_of = {}
    for digests in by_class.values():
        part_of.update(_split_class(digests, missing, seed))
    return tuple(
        image if image.row.split in HELD_OUT else _with_split(image, part_of[image.digest]) for image in images
    )


def _with_split(image, part):
    return dataclasses.replace(image, row=dataclasses.replace(image.row, split=part))


def _split_class(digests, missing, seed):
    """Returns `{digest: part}` for the files of a class."""
    order = sorted(digests, key=lambda digest: hashlib.sha256(b"%d " % seed + digest).digest())
    part_of = dict.fromkeys(order, "train")
    left = iter(order)
    spare = len(order) - 1
    for part in missing:
        count = min(spare, max(1, round(HELD_OUT[part] * len(order))))
        spare -= count
        part_of.update((next(left), part) for _ in range(count))
    return part_of
