"""A label of a teacher: the most probable classes, their probabilities, and what is left for all others together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Of a class, in place of the number, where there is none.
NONE = -1


class SoftLabels(NamedTuple):
    """What a teacher says of some images; of an image that could not be read it has no classes.

    Attributes:
        classes: int64 `[n, k]`, the most probable class first; `NONE` where the image could not be read.
        probabilities: float32 `[n, k]`.
        rest: float32 `[n]`, the sum of the probabilities of all other classes.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    rest: np.ndarray


def most_probable(probabilities: np.ndarray, top: int) -> SoftLabels:
    """Takes the most probable classes; of equal ones the first class comes first.

    Args:
        probabilities: float32 `[n, classes]`.
        top: How many classes to keep; all, if there are fewer.

    Returns:
        `SoftLabels`.

    Example:
        >>> most_probable(np.float32([[0.25, 0.5, 0.125, 0.125]]), 2).rest
        array([0.25], dtype=float32)
    """
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    kept, others = order[:, :top], order[:, top:]
    # Not one less the others: rounding would leave something for no class.
    rest = np.take_along_axis(probabilities, others, axis=-1).sum(axis=-1, dtype="float64")
    return SoftLabels(kept, np.take_along_axis(probabilities, kept, axis=-1), rest.astype("float32"))


def to_example(
    identifier: bytes, source: bytes, classes: Sequence[int] = (), probabilities: Sequence[float] = (), rest: float = 0
) -> tf.train.Example:
    """The record of a label.

    Args:
        identifier: The id of the image.
        source: The shard that it is in.
        classes: Those of the label; none of an image that could not be read.
        probabilities: Theirs.
        rest: The sum of the probabilities of all other classes.
    """
    values = {
        "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[identifier])),
        "source": tf.train.Feature(bytes_list=tf.train.BytesList(value=[source])),
        "rest": tf.train.Feature(float_list=tf.train.FloatList(value=[rest])),
    }
    # Left out where there are none: TensorFlow takes an empty list for one of a wrong length.
    if classes:
        values["classes"] = tf.train.Feature(int64_list=tf.train.Int64List(value=classes))
        values["probabilities"] = tf.train.Feature(float_list=tf.train.FloatList(value=probabilities))
    return tf.train.Example(features=tf.train.Features(feature=values))


def parse(records: Sequence[bytes], top: int) -> SoftLabels:
    """Reads records.

    Args:
        records: The `n` records, serialised, each what `to_example` made.
        top: How many classes each has.

    Returns:
        `SoftLabels`.

    Raises:
        tf.errors.InvalidArgumentError: One is damaged, or has another number of classes.
    """
    features = {
        "classes": tf.io.FixedLenFeature([top], tf.int64, [NONE] * top),
        "probabilities": tf.io.FixedLenFeature([top], tf.float32, [0.0] * top),
        "rest": tf.io.FixedLenFeature([], tf.float32),
    }
    parsed = tf.io.parse_example(tf.constant(records, tf.string), features)
    return SoftLabels(**{name: column.numpy() for name, column in parsed.items()})
