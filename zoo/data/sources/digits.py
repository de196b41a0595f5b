"""Scikit-learn's handwritten digits: 1797 real images of 8x8 pixels that come with the library.

Source: https://archive.ics.uci.edu/dataset/80 (the test part of that collection).
"""

import numpy as np

from lambda_keras.zoo.data.splits import ArraySplit, Dataset
from lambda_keras.zoo.errors import UserError

TEST_FRACTION = 0.25
# The splits are one fact for everybody: they do not follow a recipe's seed.
SPLIT_SEED = 0


def load(validation_fraction: float) -> Dataset:
    """Loads the digits in three parts, each with the same share of every class.

    Args:
        validation_fraction: Share of the training part to hold back for validation.

    Returns:
        A `lambda_keras.zoo.data.splits.Dataset` of images `[8, 8, 1]`. The test part is the same 450 images always.
    """
    train, test = _split(load_arrays(), TEST_FRACTION)
    train, validation = _split(train, validation_fraction)
    return Dataset(
        name="digits",
        class_names=tuple("0123456789"),
        channels=1,
        mean=(0.305,),
        std=(0.376,),
        train=ArraySplit(*train),
        validation=ArraySplit(*validation),
        test=ArraySplit(*test),
    )


def load_arrays() -> tuple[np.ndarray, np.ndarray]:
    """Returns all 1797 images, uint8 `[n, 8, 8, 1]` with values 0..255, and their int64 labels `[n]`."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    # A pixel counts the set points, 0..16, of a 4x4 cell of the scanned bitmap.
    images = np.round(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype("uint8")
    return images, labels.astype("int64")


def _split(examples, fraction):
    from sklearn.model_selection import train_test_split

    images, labels = examples
    try:
        kept, held_out, kept_labels, held_out_labels = train_test_split(
            images, labels, test_size=fraction, stratify=labels, random_state=SPLIT_SEED
        )
    except ValueError as error:
        raise UserError(f"data.validation_fraction {fraction} is too small a share of the digits: {error}") from error
    return (kept, kept_labels), (held_out, held_out_labels)
