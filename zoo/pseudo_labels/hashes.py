"""What images are recognised by: the exact pixels of small ones, a perceptual hash of others, in both orientations.

`imagehash.phash` finds an image again that was made smaller, stored as JPEG once more, brightened or mirrored; it does
not find crops. In images of few pixels it sees too little to tell two of the same kind apart.
"""

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import imagehash
import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from lambda_keras.zoo.data.images.colours import with_channels
from lambda_keras.zoo.data.images.decoding import decode
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.pseudo_labels.images import Found

# Pixels of the shorter side. From the first to the second an image has both hashes.
PERCEPTUAL_FROM = 64
EXACT_BELOW = 96
# Images in memory, as files.
AT_ONCE = 256


class Hashes(NamedTuple):
    """The hashes of some images.

    Attributes:
        exact: Bytes `[n]`, of the pixels; empty where the image is not small.
        upright: uint64 `[n]`, the perceptual hash.
        mirrored: The same of the image mirrored left to right.
        is_perceptual: bool `[n]`, false where the image is too small for it.
    """

    exact: np.ndarray
    upright: np.ndarray
    mirrored: np.ndarray
    is_perceptual: np.ndarray

    def at(self, places: np.ndarray) -> "Hashes":
        """Those of some of the images, of places or a mask."""
        return Hashes(*(column[places] for column in self))


class Hashed(NamedTuple):
    """Images and their hashes.

    Attributes:
        shards: int64 `[n]`, the shard of each.
        places: int64 `[n]`, its place in the shard.
        hashes: The `Hashes`.
        unreadable: How many images are not among them, because they could not be decoded.
    """

    shards: np.ndarray
    places: np.ndarray
    hashes: Hashes
    unreadable: int

    @classmethod
    def of(cls, chunks: Iterable[Sequence[tuple | None]]) -> "Hashed":
        """Makes columns of chunks of rows: the shard, the place and what `hash_of` returns of each image, or `None`."""
        types = ("int64", "int64", "S32", "uint64", "uint64", "bool")
        parts, unreadable = [[np.empty(0, dtype) for dtype in types]], 0
        for chunk in chunks:
            rows = [row for row in chunk if row is not None]
            unreadable += len(chunk) - len(rows)
            # Arrays at once: of 130 million images, rows would take five times as much memory.
            if rows:
                columns = zip(*rows, strict=True)
                parts.append([np.array(column, dtype) for column, dtype in zip(columns, types, strict=True)])
        shards, places, *hashes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return cls(shards, places, Hashes(*hashes), unreadable)


def pixels_of(image: bytes | np.ndarray, most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """Decodes an image as a teacher does.

    Args:
        image: The bytes of its file, or uint8 `[height, width, channels]`.
        most_pixels: As for `lambda_keras.zoo.data.images.decoding.decode`.

    Returns:
        uint8 `[height, width, 3]`, an array.

    Raises:
        tf.errors.InvalidArgumentError: As for `lambda_keras.zoo.data.images.decoding.decode`.
    """
    pixels = decode(image, 3, most_pixels)
    if pixels.shape[-1] == 1:
        # As `with_channels`, whose loop over blocks is slow outside of a graph: arrays have many small images.
        return np.repeat(pixels, 3, axis=-1)
    return (pixels if pixels.shape[-1] == 3 else with_channels(pixels, 3)).numpy()


def hash_all(found: Iterable[Found], most_pixels: int = MOST_PIXELS) -> Hashed:
    """Hashes images, several at a time.

    Args:
        found: The images.
        most_pixels: As for `lambda_keras.zoo.data.images.decoding.decode`.

    Returns:
        The `Hashed` of those that can be decoded, in the order of the images.
    """

    def hash_one(image):
        try:
            return image.shard, image.place, *hash_of(pixels_of(image.image, most_pixels))
        except tf.errors.InvalidArgumentError:
            return None

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        # Not all at once: the executor would read all images before the first is hashed.
        return Hashed.of(list(executor.map(hash_one, chunk)) for chunk in _chunks(found, AT_ONCE))


def hash_of(pixels: np.ndarray) -> tuple[bytes, int, int, bool]:
    """The hashes of one image.

    Args:
        pixels: uint8 `[height, width, 3]`.

    Returns:
        One of each column of `Hashes`.
    """
    side = min(pixels.shape[:2])
    exact = b""
    if side < EXACT_BELOW:
        exact = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:32].encode()
    if side < PERCEPTUAL_FROM:
        return exact, 0, 0, False
    picture = Image.fromarray(pixels)
    return exact, _perceptual(picture), _perceptual(ImageOps.mirror(picture)), True


def _perceptual(picture):
    return int.from_bytes(np.packbits(imagehash.phash(picture).hash).tobytes(), "big")


def _chunks(items: Iterable, size: int) -> Iterator[list]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
