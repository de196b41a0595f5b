"""The parts of a dataset, and under which names folders and tables have them."""

import os
from pathlib import Path

from lambda_keras.zoo.errors import UserError

PARTS = ("train", "validation", "test")
# As Keras, Kaggle and Roboflow call them; upper case counts as lower case.
NAMES = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
LAYOUT = "<class>/<image>, or train/<class>/<image> with validation/ or test/ beside train/"


def part_named(name: str) -> str | None:
    """The part that a name stands for; `None` if it is that of none.

    Example:
        >>> part_named("Valid"), part_named("test"), part_named("dogs")
        ('validation', 'test', None)
    """
    return NAMES.get(name.lower())


def part_folders(folder: Path) -> dict[str, Path]:
    """The folders of parts, which stand above those of the classes.

    Args:
        folder: The folder of the data.

    Returns:
        The folder of each part that there is, in the order of `PARTS`. None if the folders are those of classes: where
        no folder is named as `train`, they are parts only if all of them are named so and hold folders.

    Raises:
        UserError: Beside `train` are folders of other names, or two of the same part.
    """
    names = folder_names(folder)
    parts = [part_named(name) for name in names]
    if "train" not in parts and not (names and all(parts) and all(folder_names(folder / name) for name in names)):
        return {}
    if None in parts:
        raise UserError(
            f"{folder} has the folder {names[parts.index(None)]}; "
            "beside train only validation (or val, valid) and test may be"
        )
    if twice := [part for part in PARTS if parts.count(part) > 1]:
        both = " and ".join(name for name in names if part_named(name) == twice[0])
        raise UserError(f"{folder} has {both}, which are both for {twice[0]}; put the images into one of them")
    return {part: folder / names[parts.index(part)] for part in PARTS if part in parts}


def folder_names(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones do not count."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
