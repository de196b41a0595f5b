"""Pairs of 64-bit hashes that differ in few bits, found without a comparison of each with each."""

import itertools

import numpy as np

# A hash is cut into so many bands. Two hashes that differ in d bits differ in at most d // BANDS bits of some band, so
# that only those are compared that agree there.
BANDS = 4
_BITS = 64 // BANDS
# Pairs that are compared at the same time, 200 MB.
PAIRS_AT_ONCE = 2**22


def near_pairs(queries: np.ndarray, targets: np.ndarray, distance: int) -> np.ndarray:
    """Finds all pairs that differ in at most so many bits.

    Args:
        queries: uint64 `[n]`.
        targets: uint64 `[m]`. Many that are the same would be compared with each other: give each once.
        distance: How many bits may differ.

    Returns:
        int64 `[pairs, 2]`, an array of places among the queries and the targets, sorted.

    Example:
        >>> near_pairs(np.array([0b0000, 0b1111], "uint64"), np.array([0b0001], "uint64"), 1)
        array([[0, 0]])
    """
    found = [np.empty((0, 2), "int64")]
    for band in range(BANDS):
        keys, wanted = _keys(targets, band), _keys(queries, band)
        order = np.argsort(keys, kind="stable")
        # Where the targets of each key are in this order.
        bounds = np.searchsorted(keys[order], np.arange(2**_BITS + 1))
        for flip in _flips(distance // BANDS):
            begins, ends = bounds[wanted ^ flip], bounds[(wanted ^ flip) + 1]
            found += _compare(queries, targets[order], begins, ends, order, distance)
    return np.unique(np.concatenate(found), axis=0)


def _keys(hashes, band):
    return ((hashes >> np.uint64(_BITS * band)) & np.uint64(2**_BITS - 1)).astype("int64")


def _flips(most):
    """All numbers of a band with at most so many bits set."""
    return [
        sum(1 << bit for bit in bits)
        for count in range(most + 1)
        for bits in itertools.combinations(range(_BITS), count)
    ]


def _compare(queries, targets, begins, ends, order, distance):
    """Compares each query with the targets from its begin to its end, which are in an order."""
    counts = ends - begins
    total = np.cumsum(counts)
    # Some queries at a time.
    pieces = np.unique(np.searchsorted(total, np.arange(0, total[-1] if len(total) else 0, PAIRS_AT_ONCE)))
    for first, last in itertools.pairwise([*pieces.tolist(), len(counts)]):
        some = counts[first:last]
        query = np.repeat(np.arange(first, last), some)
        place = np.arange(len(query)) + np.repeat(begins[first:last] - (np.cumsum(some) - some), some)
        near = np.bitwise_count(queries[query] ^ targets[place]) <= distance
        yield np.column_stack([query[near], order[place[near]]])
