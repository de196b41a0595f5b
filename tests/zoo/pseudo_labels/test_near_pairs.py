import numpy as np
import pytest

from lambda_keras.zoo.pseudo_labels import near_pairs


def hashes_at(distances, seed=0):
    """A random hash, and one for each distance that differs from it in so many bits."""
    generator = np.random.default_rng(seed)
    base = generator.integers(0, 2**64, dtype="uint64")
    flips = [
        np.bitwise_or.reduce(np.uint64(1) << generator.permutation(64)[:distance].astype("uint64"), initial=0)
        for distance in distances
    ]
    return np.array([base]), base ^ np.array(flips, "uint64")


@pytest.mark.parametrize("distance", [2, 3, 10])
def test_they_are_those_of_a_comparison_of_each_with_each(distance, monkeypatch):
    # Few bits vary, so that there are many near pairs.
    generator = np.random.default_rng(1)
    mask = np.uint64(0x0F0F_0000_00FF_1111)
    queries, targets = (generator.integers(0, 2**64, count, dtype="uint64") & mask for count in (300, 200))
    expected = np.argwhere(np.bitwise_count(queries[:, None] ^ targets) <= distance)
    assert len(expected) > 5
    np.testing.assert_array_equal(near_pairs.pairs_within(queries, targets, distance), expected)
    monkeypatch.setattr(near_pairs, "PAIRS_AT_ONCE", 50)
    np.testing.assert_array_equal(near_pairs.pairs_within(queries, targets, distance), expected)


def test_a_pair_at_the_distance_is_found_wherever_its_bits_are():
    for seed in range(20):
        base, others = hashes_at([10, 11, 3, 4, 0], seed)
        assert near_pairs.pairs_within(base, others, 10)[:, 1].tolist() == [0, 2, 3, 4]
        assert near_pairs.pairs_within(base, others, 3)[:, 1].tolist() == [2, 4]


def test_there_may_be_none():
    empty = np.array([], "uint64")
    for queries, targets in ((empty, empty), (empty, np.uint64([1])), (np.uint64([1]), empty)):
        assert near_pairs.pairs_within(queries, targets, 10).shape == (0, 2)
