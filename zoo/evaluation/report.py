"""The figures of an evaluation, computed from probabilities and labels alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, top_k_accuracy_score

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassFigures:
    """One row of the table of classes; shares are 0..1.

    Attributes:
        name: The class.
        images: How many images are of this class.
        recall: Share of them that is recognised; NaN if there is none.
        precision: Share of the images taken for this class that is of it; NaN if none was.
        f1: Harmonic mean of the two, 2 · right / (images + taken for it); NaN if both are zero.
    """

    name: str
    images: int
    recall: float
    precision: float
    f1: float


@dataclass(frozen=True)
class EvaluationReport:
    """All figures of an evaluation; shares are 0..1.

    Attributes:
        images: How many images were classified.
        top_1: Share whose most probable class is the right one.
        top_5: Share whose five most probable classes hold the right one; `None` for five classes or fewer, where it
            would be 1 by definition.
        loss: Mean cross-entropy in nats, without label smoothing.
        calibration_error: See `calibration_error`.
        confusion: int64 `[classes, classes]`: how many images of class `row` are taken for class `column`.
        classes: `ClassFigures` of each class, in the order of the labels.
    """

    images: int
    top_1: float
    top_5: float | None
    loss: float
    calibration_error: float
    confusion: np.ndarray
    classes: list[ClassFigures]


def evaluate_probabilities(
    probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> EvaluationReport:
    """Computes all figures.

    Args:
        probabilities: `[n, classes]`, finite; n is at least 1.
        labels: The right classes, integers `[n]`.
        class_names: The name of each class.

    Returns:
        An `EvaluationReport`.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> evaluate_probabilities(probabilities, np.array([0, 1, 1]), ("cat", "dog")).top_1
        0.6666666666666666
    """
    every_label = np.arange(len(class_names))
    predicted = probabilities.argmax(axis=-1)
    # Of the right class. A probability of 0 in float32 would make the loss infinite.
    right = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo("float32").tiny)
    top_5 = None
    if len(class_names) > 5:
        top_5 = float(top_k_accuracy_score(labels, probabilities, k=5, labels=every_label))
    precision, recall, f1, images = precision_recall_fscore_support(
        labels, predicted, labels=every_label, zero_division=np.nan
    )
    return EvaluationReport(
        images=len(labels),
        top_1=float(np.mean(predicted == labels)),
        top_5=top_5,
        loss=float(-np.log(right.astype("float64")).mean()),
        calibration_error=calibration_error(probabilities, labels),
        confusion=confusion_matrix(labels, predicted, labels=every_label),
        classes=[
            ClassFigures(name, int(count), *map(float, figures))
            for name, count, *figures in zip(class_names, images, recall, precision, f1, strict=True)
        ],
    )


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: how far confidence is from accuracy.

    Images are put into bins of equal width by the probability of the predicted class, their confidence. The error is
    the mean over the images of `|accuracy - mean confidence|` of their bin
    (Guo et al., ICML 2017, section 2, https://arxiv.org/abs/1706.04599).

    Args:
        probabilities: `[n, classes]`.
        labels: The right classes, integers `[n]`.
        bins: How many bins the interval 0..1 has; each holds its upper edge.

    Returns:
        0 for a perfectly calibrated model, 1 for one that is always sure and always wrong.

    Example:
        >>> calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1]))
        0.0
    """
    confidence = probabilities.max(axis=-1).astype("float64")
    correct = probabilities.argmax(axis=-1) == labels
    # Inner edges only: a confidence that rounding put above 1 stays in the last bin.
    bin_of_image = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    # |accuracy - mean confidence| of a bin times its images is the difference of the two sums.
    differences = np.bincount(bin_of_image, weights=correct - confidence, minlength=bins)
    return float(np.abs(differences).sum() / len(labels))


def wilson_interval(count: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's confidence interval of a share, which is right for few images and for shares near 0 and 1, too.

    Source: https://doi.org/10.1080/01621459.1927.10502953.

    Args:
        count: Images that have the property.
        total: Images, at least 1.
        confidence: How often such intervals hold the true share.

    Returns:
        Its lower and upper end, 0..1.

    Example:
        >>> low, high = wilson_interval(9, 10)
        >>> f"{low:.3f} {high:.3f}"
        '0.596 0.982'
    """
    interval = binomtest(int(count), int(total)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
