"""Which images are copies: of images that the student will be evaluated with, or of each other."""

import numpy as np

from lambda_keras.zoo.pseudo_labels.hashes import Hashes
from lambda_keras.zoo.pseudo_labels.near_pairs import pairs_within

# Bits of a perceptual hash. Evaluation images are few, and better one image too many is left out than one too few.
EVALUATION_DISTANCE = 10
# Of 130 million images, so many pairs would differ in 10 bits by chance that most images would be left out.
DUPLICATE_DISTANCE = 2
NONE = -1


def of_evaluation(hashes: Hashes, evaluation: Hashes) -> np.ndarray:
    """Finds copies of evaluation images.

    Args:
        hashes: Of the images `[n]`.
        evaluation: Of the evaluation images `[m]`.

    Returns:
        int64 `[n]`, an array: for each image an evaluation image that it is a copy of, or `NONE`.
    """
    originals = _equal_ones(hashes.exact, evaluation.exact)
    queries, targets = (np.flatnonzero(some.is_perceptual) for some in (hashes, evaluation))
    values, firsts = np.unique(hashes.upright[queries], return_inverse=True)
    for orientation in (evaluation.upright, evaluation.mirrored):
        distinct, places = np.unique(orientation[targets], return_index=True)
        original_of_value = np.full(len(values), NONE)
        for value, target in pairs_within(values, distinct, EVALUATION_DISTANCE):
            original_of_value[value] = targets[places[target]]
        found = original_of_value[firsts] if len(values) else np.empty(0, "int64")
        is_new = (originals[queries] == NONE) & (found != NONE)
        originals[queries[is_new]] = found[is_new]
    return originals


def of_each_other(hashes: Hashes, confidence: np.ndarray) -> np.ndarray:
    """Finds near-duplicates among images: of each group the one with the most confident label stays.

    Args:
        hashes: Of the images `[n]`.
        confidence: `[n]`; of equal ones the first image stays.

    Returns:
        int64 `[n]`, an array: for each image one that it is a copy of and that is more confident, or `NONE`.
    """
    originals = np.full(len(confidence), NONE)
    by_confidence = np.argsort(-confidence, kind="stable")
    _leave_first(hashes.exact, by_confidence[hashes.exact[by_confidence] != b""], originals)
    perceptual = by_confidence[hashes.is_perceptual[by_confidence]]
    _leave_first(hashes.upright, perceptual[originals[perceptual] == NONE], originals)
    # All are different from here on. A place in this array is a rank.
    ranked = perceptual[originals[perceptual] == NONE]
    upright, mirrored = hashes.upright[ranked], hashes.mirrored[ranked]
    pairs = np.concatenate([pairs_within(some, upright, DUPLICATE_DISTANCE) for some in (upright, mirrored)])
    better, worse = pairs.min(axis=1), pairs.max(axis=1)
    # In the order of the worse one, so that it is known whether the better one stays.
    for place in np.lexsort((better, worse)):
        first, second = ranked[better[place]], ranked[worse[place]]
        if first != second and originals[first] == originals[second] == NONE:
            originals[second] = first
    return originals


def _equal_ones(exact, others):
    """For each of some bytes a place among others where the same are, or `NONE`; empty ones are like none."""
    distinct, places = np.unique(others, return_index=True)
    if len(distinct) == 0:
        return np.full(len(exact), NONE)
    nearest = np.minimum(np.searchsorted(distinct, exact), len(distinct) - 1)
    return np.where((distinct[nearest] == exact) & (exact != b""), places[nearest], NONE)


def _leave_first(values, order, originals):
    """Says of all images with the value of an earlier one, in an order, that they are copies of that."""
    _, firsts, groups = np.unique(values[order], return_index=True, return_inverse=True)
    original = order[firsts[groups]]
    is_copy = original != order
    originals[order[is_copy]] = original[is_copy]
