import numpy as np

from lambda_keras.zoo.pseudo_labels.copies import NONE, of_each_other, of_evaluation
from lambda_keras.zoo.pseudo_labels.hashes import Hashes


def perceptual(*values, mirrored=None):
    upright = np.array(values, "uint64")
    turned = ~upright if mirrored is None else np.array(mirrored, "uint64")
    return Hashes(np.full(len(values), b"", "S32"), upright, turned, np.full(len(values), True))


def exact(*values):
    zeros = np.zeros(len(values), "uint64")
    return Hashes(np.array(values, "S32"), zeros, zeros, np.full(len(values), False))


def joined(first, second):
    return Hashes(*(np.concatenate(columns) for columns in zip(first, second, strict=True)))


def test_copies_of_evaluation_images_by_hand():
    evaluation = joined(perceptual(0, 2**40 - 1, mirrored=[2**64 - 1, 2**60 - 2**20]), exact(b"a", b"b"))
    own = joined(
        # Near the first; the same as its mirror image; far from all; near the mirror image of the second.
        perceptual(0b11_1111_1111, 2**64 - 1, 2**20 - 1, 2**60 - 2**20 + 1),
        exact(b"b", b"c"),
    )
    assert of_evaluation(own, evaluation).tolist() == [0, 0, NONE, 1, 3, NONE]
    assert of_evaluation(own, exact()).tolist() == [NONE] * 6
    assert of_evaluation(exact(), evaluation).tolist() == []


def test_images_with_both_hashes_are_found_by_either():
    def both(exact, *upright):
        return perceptual(*upright)._replace(exact=np.array(exact, "S32"))

    far = 2**40 - 1
    evaluation = both([b"a", b"b", b"c"], 0, far, 2**64 - far)
    # By its pixels alone, by what it looks like alone, by both, by neither.
    own = both([b"a", b"x", b"c", b"y"], 2**30 - 1, far - 1, 2**64 - far, 2**20 - 1)
    assert of_evaluation(own, evaluation).tolist() == [0, 1, 2, NONE]
    duplicates = both([b"a", b"a", b"b", b"c"], 0, far, 0, 2**20 - 1)
    assert of_each_other(duplicates, np.array([0.9, 0.8, 0.7, 0.6])).tolist() == [NONE, 0, 0, NONE]


def test_of_near_duplicates_the_most_confident_one_stays():
    far = 2**64 - 1
    hashes = joined(
        perceptual(0, 0b11, 0b111, 2**40 - 1, 0b11, mirrored=[far, far - 1, far - 2, 0b1, far - 4]),
        exact(b"a", b"b", b"a"),
    )
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.8, 0.3, 0.9, 0.4])
    # 1 is near 0; 2 is near 1, which is left out, but not near 0; 3 mirrored is near 0; 4 is the same as 1.
    assert of_each_other(hashes, confidence).tolist() == [NONE, 0, NONE, 0, 1, 7, NONE, NONE]


def test_of_equally_confident_ones_the_first_stays():
    assert of_each_other(perceptual(5, 5, 5), np.full(3, 0.5)).tolist() == [NONE, 0, 0]
    assert of_each_other(exact(), np.array([])).tolist() == []
