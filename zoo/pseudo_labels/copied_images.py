"""Which labelled images are left out, because they are copies of evaluation images or of each other."""

from typing import NamedTuple

import numpy as np

from lambda_keras.zoo.command_line import progress_bar
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.pseudo_labels import copies
from lambda_keras.zoo.pseudo_labels.hashes import Hashed, hash_all
from lambda_keras.zoo.pseudo_labels.images import Images, stream, where
from lambda_keras.zoo.pseudo_labels.labelled_images import Labelled


class Pairs(NamedTuple):
    """Images that are left out, each with one that it is a copy of.

    Attributes:
        images: int64 `[n]`, numbers of labelled images.
        originals: The shard and the place of each original.
    """

    images: np.ndarray
    originals: list[tuple[int, int]]


class LeftOut(NamedTuple):
    """What is left out.

    Attributes:
        of_evaluation: The `Pairs` of copies of evaluation images.
        of_each_other: The `Pairs` of near-duplicates, whose originals are labelled images.
        unreadable: How many evaluation images could not be compared with.
    """

    of_evaluation: Pairs
    of_each_other: Pairs
    unreadable: int


def find(labelled: Labelled, candidates: np.ndarray, evaluation: Images | None) -> LeftOut:
    """Compares labelled images with evaluation images and with each other.

    Args:
        labelled: The `lambda_keras.zoo.pseudo_labels.labelled_images.Labelled`.
        candidates: bool `[images]`, which of them to compare.
        evaluation: The evaluation images; `None` if there are none.

    Returns:
        The `LeftOut`.

    Raises:
        UserError: Images cannot be read.
    """
    numbers, most_pixels = np.flatnonzero(candidates), labelled.description.most_pixels

    def hashed(images, wanted, description, total):
        bar = progress_bar(stream(images, wanted), desc=description, total=total, unit="image")
        return hash_all(bar, most_pixels)

    own = hashed(labelled.images, where(candidates, labelled.counts), "looking for copies", len(numbers))
    if own.unreadable:
        raise UserError(
            f"{own.unreadable:,} images that were labelled cannot be decoded any more; label them again to a new folder"
        )
    theirs = hashed(evaluation, None, "evaluation images", None) if evaluation else Hashed.of([])
    of_evaluation = copies.of_evaluation(own.hashes, theirs.hashes)
    is_kept = of_evaluation == copies.NONE
    kept, left_out = numbers[is_kept], ~is_kept
    of_each_other = copies.of_each_other(own.hashes.at(is_kept), labelled.confidence[kept])
    is_duplicate = of_each_other != copies.NONE
    originals = of_evaluation[left_out]
    return LeftOut(
        Pairs(
            numbers[left_out],
            list(zip(theirs.shards[originals].tolist(), theirs.places[originals].tolist(), strict=True)),
        ),
        Pairs(kept[is_duplicate], labelled.positions(kept[of_each_other[is_duplicate]])),
        theirs.unreadable,
    )
