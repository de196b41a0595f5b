"""Images by which the ranges of an int8 model are set, and others to check these ranges with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

import lambda_keras as lk
from export.labelled_images import load_labelled_images
from zoo.data.image_folder import ENDINGS
from zoo.errors import UserError
from zoo.image_file import read_image
from zoo.record import Record

# With fewer images the ranges are a matter of chance.
FEWEST_IMAGES = 32
CHECK_EVERY = 5


@dataclass(frozen=True)
class Calibration:
    """Images, and how the model wants them normalised.

    Attributes:
        images: uint8 [n, height, width, channels], which set the ranges.
        check_images: Others of the same source, uint8 [m, height, width, channels].
        mean: float32 [channels] on the scale 0..1, for `lambda_keras.preprocess_input`.
        std: float32 [channels] on the scale 0..1.
    """

    images: np.ndarray
    check_images: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    def batches(self, batch_size: int) -> Iterator[np.ndarray]:
        """The images that set the ranges, normalised; where the last batch lacks some, the first fill it up."""
        for start in range(0, len(self.images), batch_size):
            batch = np.arange(start, start + batch_size) % len(self.images)
            yield self.normalised(self.images[batch])

    def normalised(self, images: np.ndarray) -> np.ndarray:
        """Images as the model takes them, float32."""
        return np.asarray(lk.preprocess_input(images, mean=self.mean, std=self.std))


def load_calibration(path: Path, model: keras.Model, count: int, record: Record | None) -> Calibration:
    """Loads images for the calibration of `model`.

    They are taken at even distances, so that a source that is sorted by class gives of all classes. Of those that are
    taken, every fifth is kept for the check.

    Args:
        path: An .npz file as `lambda-zoo train` writes it, or a folder with image files in it or in folders below.
        model: The classifier.
        count: How many images set the ranges, if there are so many.
        record: The model's record, which says how files are made images for it; `None` if it has none.

    Raises:
        UserError: There is no such source, it does not fit the model, or it has too few images.
    """
    if count < FEWEST_IMAGES:
        raise UserError(f"--calibration-images must be at least {FEWEST_IMAGES}, got {count}")
    if path.is_dir():
        images, mean, std = _read_folder(path, count, record)
    else:
        data = load_labelled_images(path, model)
        images, mean, std = data.images[_taken(len(data.images), count)], data.mean, data.std
        if record and not (np.allclose(mean, record.mean) and np.allclose(std, record.std)):
            raise UserError(
                f"{path} has mean {mean.tolist()} and std {std.tolist()}, the model's record {list(record.mean)} and "
                f"{list(record.std)}; give images that are normalised alike, or a folder of image files"
            )
    is_check = np.arange(len(images)) % CHECK_EVERY == CHECK_EVERY - 1
    _check_variety(images[~is_check], path)
    return Calibration(images[~is_check], images[is_check], mean, std)


def _taken(available: int, count: int) -> np.ndarray:
    """Which images to take: so many that `count` are left when every fifth is kept for the check."""
    taken = min(count * CHECK_EVERY // (CHECK_EVERY - 1), available)
    return np.linspace(0, available - 1, taken).round().astype(int)


def _read_folder(folder, count, record):
    if record is None:
        raise UserError(
            f"{folder} is a folder of image files, and without a record.json beside the model nobody knows how it "
            "wants them; calibrate with the test.npz of its training"
        )
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.name[0] != ".")
    if not files:
        raise UserError(f"{folder} has no image files (endings {', '.join(ENDINGS)})")
    images = np.stack([read_image(files[index], record) for index in _taken(len(files), count)])
    return images, np.float32(record.mean), np.float32(record.std)


def _check_variety(images, path):
    different = {image.tobytes() for image in images if np.ptp(image, axis=(0, 1)).any()}
    if len(different) < FEWEST_IMAGES:
        raise UserError(
            f"calibration needs at least {FEWEST_IMAGES} different images that are not of one colour, besides every "
            f"fifth, which checks it; {path} gave {len(different)} of {len(images)}"
        )
