"""Pairs of 64-bit hashes that differ in few bits, found without a comparison of each with each."""

import itertools

import numpy as np

# A hash is cut into bands. Two hashes that differ in d bits differ in at most d // bands bits of some band, so that
# only those are compared that agree there. With more bands than d bits they agree in one; many bands are too short.
MOST_BANDS = 4
_BITS = 64
# Pairs that are compared at the same time, 200 MB.
PAIRS_AT_ONCE = 2**22


def pairs_within(queries: np.ndarray, targets: np.ndarray, distance: int) -> np.ndarray:
    """Finds all pairs that differ in at most so many bits.

    Args:
        queries: uint64 `[n]`.
        targets: uint64 `[m]`. Many that are the same would be compared with each other: give each once.
        distance: How many bits may differ, at least 2: otherwise a band would have more keys than memory holds.

    Returns:
        int64 `[pairs, 2]`, an array of places among the queries and the targets, sorted.

    Example:
        >>> pairs_within(np.array([0b0000, 0b1111], "uint64"), np.array([0b0001], "uint64"), 1)
        array([[0, 0]])
    """
    # Each pair as one number, which is sorted faster than two.
    found = [np.empty(0, "int64")]
    bands = min(distance + 1, MOST_BANDS)
    for first, end in itertools.pairwise(_BITS * band // bands for band in range(bands + 1)):
        keys, wanted = _keys(targets, first, end), _keys(queries, first, end)
        order = np.argsort(keys, kind="stable")
        # Where the targets of each key are in this order.
        bounds = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=2 ** (end - first)))])
        for flip in _flips(end - first, distance // bands):
            begins, ends = bounds[wanted ^ flip], bounds[(wanted ^ flip) + 1]
            found += _compare(queries, targets[order], begins, ends, order, distance)
    return np.stack(np.divmod(np.unique(np.concatenate(found)), max(len(targets), 1)), axis=1)


def _keys(hashes, first, end):
    """The bits of each hash from one place to another."""
    return ((hashes >> np.uint64(first)) & np.uint64(2 ** (end - first) - 1)).astype("int64")


def _flips(bits, most):
    """All numbers of so many bits of which at most some are set."""
    places = (itertools.combinations(range(bits), count) for count in range(most + 1))
    return [sum(1 << bit for bit in chosen) for some in places for chosen in some]


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
        yield query[near] * len(targets) + order[place[near]]
