"""Small pictures of a few of many images, for a report."""

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image

from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.pseudo_labels.hashes import pixels_of
from lambda_keras.zoo.pseudo_labels.images import Images, among, stream

SIDE = 160


def pictures(
    images: Images, positions: Iterable[tuple[int, int]], most_pixels: int = MOST_PIXELS
) -> dict[tuple[int, int], tuple[str, bytes]]:
    """Reads some images; only the shards that they are in are opened.

    Args:
        images: The `lambda_keras.zoo.pseudo_labels.images.Images`.
        positions: The shard and the place in it of each image; all can be decoded.
        most_pixels: As for `lambda_keras.zoo.data.images.decoding.decode`.

    Returns:
        The id of each and a PNG file of at most `SIDE` pixels, by its position.
    """
    wanted = sorted(set(positions))
    if not wanted:
        return {}
    shards, places = zip(*wanted, strict=True)
    found = stream(images, among(shards, places), sorted(set(shards)))
    return {
        (image.shard, image.place): (image.id.decode(errors="replace"), _png(pixels_of(image.image, most_pixels)))
        for image in found
    }


def _png(pixels: np.ndarray) -> bytes:
    picture, file = Image.fromarray(pixels), io.BytesIO()
    picture.thumbnail((SIDE, SIDE))
    picture.save(file, "PNG")
    return file.getvalue()
