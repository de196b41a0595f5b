"""How many records each labelled image becomes: a threshold, and then as many for each class (Noisy Student).

Xie et al., Self-training with Noisy Student improves ImageNet classification, https://arxiv.org/abs/1911.04252.
"""

import dataclasses

import numpy as np

from lambda_keras.zoo.errors import UserError


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which images to select.

    Attributes:
        threshold: The lowest probability of the most probable class.
        per_class: Records of each class; `None` for all images, once each.
        seed: Of all that is drawn.

    Raises:
        UserError: The threshold is no probability.
    """

    threshold: float = 0.3
    per_class: int | None = None
    seed: int = 0

    def __post_init__(self):
        """Refuses a threshold that no label, or every label, can reach by mistake."""
        if not 0 <= self.threshold <= 1:
            raise UserError(f"--threshold is a probability from 0 to 1, got {self.threshold}")


def copies(labels: np.ndarray, confidence: np.ndarray, allowed: np.ndarray, settings: Settings) -> np.ndarray:
    """Counts the records that each image becomes.

    Of a class with more images than `per_class`, the most probable ones become one record each; of equal ones the first
    comes first. Of a class with fewer, each becomes as many whole copies as all can, and the remainder is drawn, none
    twice.

    Args:
        labels: Integers `[images]`, the most probable class.
        confidence: `[images]`, its probability.
        allowed: bool `[images]`: which may be selected at all.
        settings: The `Settings`.

    Returns:
        int64 `[images]`, an array.

    Example:
        >>> labels, confidence = np.array([0, 0, 0, 1]), np.array([0.9, 0.5, 0.8, 0.2])
        >>> copies(labels, confidence, np.full(4, True), Settings(threshold=0.3, per_class=2))
        array([1, 0, 1, 0])
    """
    candidates = np.flatnonzero(allowed & (confidence >= settings.threshold))
    counts = np.zeros(len(labels), "int64")
    if settings.per_class is None:
        counts[candidates] = 1
        return counts
    generator = np.random.default_rng(settings.seed)
    by_class = candidates[np.lexsort((-confidence[candidates], labels[candidates]))]
    _, starts = np.unique(labels[by_class], return_index=True)
    for images in np.split(by_class, starts[1:]):
        # There are none at all where nothing reaches the threshold.
        if len(images):
            whole, remainder = divmod(settings.per_class, len(images))
            counts[images] = whole
            counts[images[:remainder] if whole == 0 else generator.permutation(images)[:remainder]] += 1
    return counts
