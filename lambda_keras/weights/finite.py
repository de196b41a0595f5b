"""Which tensors have values that no training that went well leaves: infinite ones, and what is not a number."""

from collections.abc import Iterable

import numpy as np


def not_finite(tensors: Iterable[tuple[str, np.ndarray]]) -> list[str]:
    """The names of the tensors in which a value is infinite or not a number.

    Args:
        tensors: Pairs of a name and an array of numbers; they are looked at one after the other.

    Example:
        >>> not_finite({"kernel": np.ones(3), "bias": np.array([0.0, np.nan])}.items())
        ['bias']
    """
    return [name for name, tensor in tensors if not np.isfinite(tensor).all()]
