"""The datasets by name, one row each."""

import difflib
import functools
from collections.abc import Callable
from dataclasses import dataclass

from zoo.data import digits, tfds
from zoo.errors import UserError


@dataclass(frozen=True)
class Dataset:
    """One row of the catalog.

    Attributes:
        name: What a recipe calls it.
        class_names: The name of each label, in order.
        channels: Channels of an image.
        mean: Mean of each channel over the training part, images scaled to 0..1.
        std: Standard deviation of each channel, on the same scale.
        load: `load(validation_fraction, data_dir)` returns `zoo.data.splits.Splits`.
    """

    name: str
    class_names: tuple[str, ...]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    load: Callable


_ROWS = (
    Dataset(
        name="digits",
        class_names=tuple("0123456789"),
        channels=1,
        mean=(0.305,),
        std=(0.376,),
        load=digits.load,
    ),
    Dataset(
        name="fashion_mnist",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        channels=1,
        mean=(0.286,),
        std=(0.353,),
        load=functools.partial(tfds.load, "fashion_mnist"),
    ),
)
DATASETS = {row.name: row for row in _ROWS}


def find(name):
    """Returns the catalog's row of a dataset.

    Args:
        name: The dataset's name.

    Raises:
        UserError: There is no such dataset; the message has the nearest names and all names.

    Example:
        >>> find("digits").channels
        1
    """
    if name not in DATASETS:
        nearest = difflib.get_close_matches(str(name), DATASETS, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise UserError(f"unknown dataset {name!r}{hint} (known: {', '.join(DATASETS)})")
    return DATASETS[name]
