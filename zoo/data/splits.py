"""What a dataset's loader returns."""

from typing import Any, NamedTuple


class Splits(NamedTuple):
    """The three parts of a dataset. No image is in two of them.

    Each is a `tf.data.Dataset` of known cardinality whose elements are `(image, label)`: a uint8 image
    `[height, width, channels]` and an int64 label, always in the same order.

    Attributes:
        train: What the weights learn from.
        validation: Taken from the training part, for curves and choices.
        test: Looked at once, after training.
    """

    train: Any
    validation: Any
    test: Any
