"""The pictures in which a detector and its artifacts are compared: those of a folder, or of data with objects."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from lambda_keras.zoo.data.files.image_files import is_image
from lambda_keras.zoo.data.images import image_bytes
from lambda_keras.zoo.data.images.image_bytes import ImageFileError
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS
from lambda_keras.zoo.detection.data import catalog

# The part that a detector is evaluated with.
PART = "val"


def read_files(source: str, most: int, data_dir: Path | None = None) -> Iterator[tuple[str, bytes | ImageFileError]]:
    """Reads the first pictures of a folder or of data, one after the other.

    Args:
        source: A folder with files of pictures in it, the endings of which are
            `lambda_keras.zoo.data.files.image_files.ENDINGS`; or data for
            `lambda_keras.zoo.detection.data.catalog.load`, of which the part to evaluate with is taken.
        most: How many are read.
        data_dir: As for `lambda_keras.zoo.detection.data.catalog.load`.

    Returns:
        Names and bytes of files; of one in the folder that cannot be read or is no image, why.

    Raises:
        UserError: There are no such data.
    """
    folder = Path(source)
    files = sorted(path for path in folder.glob("*") if is_image(path.name)) if folder.is_dir() else []
    if files:
        return ((str(path), _bytes_of(path)) for path in itertools.islice(files, most))
    part = catalog.load(source, PART, with_masks=False, data_dir=data_dir)
    stream = part.split.ordered().take(most).as_numpy_iterator()
    return ((f"picture {annotations.image_id} of {source}", encoded) for encoded, annotations in stream)


def _bytes_of(path):
    try:
        return image_bytes.read(path, MOST_SERVED_PIXELS)
    except ImageFileError as error:
        return error
