"""Datasets in idx files, the format of MNIST and its kin: https://yann.lecun.org/exdb/mnist/."""

import gzip
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lambda_keras.zoo.data.splits import ArraySplit
from lambda_keras.zoo.errors import UserError

_UNSIGNED_BYTE = 8


def are_in(folder: str | Path | None) -> bool:
    """Says whether a folder has the training images of a dataset in idx files, compressed by gzip or not."""
    return folder is not None and _find(Path(folder), "train-images-idx3-ubyte") is not None


def load(
    folder: str | Path,
    validation_fraction: float,
    classes: int,
    choose: Callable[[dict[str, int]], Sequence[Sequence[tuple[str, int, int]]]] | None = None,
) -> tuple[ArraySplit, ...]:
    """Loads a dataset from its four files, `train-images-idx3-ubyte` and so on, with or without `.gz`.

    Args:
        folder: The folder of the files.
        validation_fraction: Share of the training part, at its end, to hold back for validation.
        classes: Number of classes.
        choose: A function of the sizes of the splits `train` and `test` that returns, for each part, ranges `(split,
            skip, take)` of which it is made; by default as above.

    Returns:
        Three `lambda_keras.zoo.data.splits.Split` of grey images `[height, width, 1]`: training, validation, test.

    Raises:
        UserError: A file is missing, damaged or of another kind, or the files do not belong together.
    """
    folder = Path(folder)
    splits = {split: _load_part(folder, name, classes) for split, name in (("train", "train"), ("test", "t10k"))}
    sizes = {split: len(labels) for split, (_, labels) in splits.items()}
    boundary = round(sizes["train"] * (1 - validation_fraction))
    parts: Sequence[Sequence[tuple[str, int, int]]] = (
        [("train", 0, boundary)],
        [("train", boundary, sizes["train"] - boundary)],
        [("test", 0, sizes["test"])],
    )
    if choose is not None:
        parts = choose(sizes)
    return tuple(_part(splits, ranges) for ranges in parts)


def _part(splits, ranges):
    """The split of some ranges, one after the other."""
    taken = [[column[skip : skip + take] for column in splits[name]] for name, skip, take in ranges]
    return ArraySplit(*(np.concatenate(columns) for columns in zip(*taken, strict=True)))


def _load_part(folder, part, classes):
    images = _read(folder, f"{part}-images-idx3-ubyte", dimensions=3)
    labels = _read(folder, f"{part}-labels-idx1-ubyte", dimensions=1)
    if len(images) != len(labels):
        raise UserError(f"{folder}: {part} has {len(images)} images and {len(labels)} labels; they must be as many")
    if len(labels) and labels.max() >= classes:
        raise UserError(f"{folder}: the labels of {part} must be below {classes}, got {labels.max()}")
    return images[..., np.newaxis], labels


def _find(folder, name):
    candidates = (folder / name, folder / f"{name}.gz")
    return next((file for file in candidates if file.is_file()), None)


def _read(folder, name, dimensions):
    """Reads a file: two zero bytes, the type, the number of dimensions, big-endian sizes, then the values."""
    file = _find(folder, name)
    if file is None:
        raise UserError(f"no file {name} or {name}.gz in {folder}")
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {file}: {error}") from error
    header = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, _UNSIGNED_BYTE, dimensions]) or len(content) < header:
        raise UserError(f"{file} is not an idx file of unsigned bytes in {dimensions} dimensions")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    if len(content) - header != shape.prod():
        raise UserError(f"{file} has {len(content) - header} values, but its header says {shape.prod()}")
    return np.frombuffer(content, "uint8", offset=header).reshape(shape)
