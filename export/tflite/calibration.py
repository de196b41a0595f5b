"""Images by which the ranges of an int8 model are set, and others to check these ranges with."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

import lambda_keras as lk
from lambda_keras.export.images.labelled import is_arrays, load_labelled_images, need_record
from lambda_keras.export.images.normalisation import check_normalisation
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.data.images.image_bytes import ImageFileError
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.data.reading import reading_images
from lambda_keras.zoo.data.sources import listing
from lambda_keras.zoo.data.sources.listing import LeftOut
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models import labelled_data
from lambda_keras.zoo.models.image_file import prepare_image, read_image
from lambda_keras.zoo.models.record import Record

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


def load_calibration(
    source: str | Path,
    model: keras.Model,
    count: int,
    record: Record | None,
    data_dir: Path | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Calibration:
    """Loads images for the calibration of `model`.

    Of files they are taken at even distances, so that a source that is sorted by class gives of all classes; of a
    dataset by chance, the same each time. Those that cannot be read are left out, which is said. Of the others, every
    fifth is kept for the check.

    Args:
        source: An .npz file as `lambda-zoo train` writes it; or a folder with image files in it or in folders below, a
            table or a dataset, as for `lambda_keras.zoo.models.labelled_data`, of which it takes the training part, or
            all images where there is none. Their labels do not matter.
        model: The classifier.
        count: How many images set the ranges, if there are that many.
        record: The model's record, which says how images are prepared for it; `None` if it has none.
        data_dir: Where the dataset is, as for `lambda_keras.zoo.data.catalog.load`.
        most_pixels: How many pixels an image file may have.

    Raises:
        UserError: There is no such source, it does not fit the model, or it has too few images.

    Example:
        >>> calibration = load_calibration("digits", classifier.model, 200, classifier.record)  # doctest: +SKIP
        >>> calibration.images.shape  # doctest: +SKIP
        (200, 32, 32, 1)
    """
    if count < FEWEST_IMAGES:
        raise UserError(f"--calibration-images must be at least {FEWEST_IMAGES}, got {count}")
    path = Path(source)
    if is_arrays(source):
        labelled_data.refuse_data_dir("--calibration", source, data_dir)
        data = load_labelled_images(path, model)
        images, mean, std = data.images[_taken(len(data.images), count)], data.mean, data.std
        remedy = "give images that are normalised alike, or a folder of image files"
        check_normalisation(path, mean, std, record, remedy)
    else:
        record = need_record("--calibration", source, record)
        if labelled_data.is_files(source):
            labelled_data.refuse_data_dir("--calibration", source, data_dir)
            images = _read_files(path, count, record, most_pixels)
        else:
            images = _read_dataset(source, count, record, data_dir, most_pixels)
        preprocessor = record.preprocessor
        mean, std = np.array(preprocessor.mean, "float32"), np.array(preprocessor.std, "float32")
    is_check = np.arange(len(images)) % CHECK_EVERY == CHECK_EVERY - 1
    _check_variety(images[~is_check], source)
    return Calibration(images[~is_check], images[is_check], mean, std)


def _taken(available: int, count: int) -> np.ndarray:
    """Which images to take: so many that `count` are left when every fifth is kept for the check."""
    taken = min(count * CHECK_EVERY // (CHECK_EVERY - 1), available)
    return np.linspace(0, available - 1, taken).round().astype(int)


def _read_files(source, count, record, most_pixels):
    files, left_out = labelled_data.training_files(source)
    taken = [files[index] for index in _taken(len(files), count)]
    return _readable(source, taken, lambda file: read_image(file, record.preprocessor, most_pixels), left_out)


def _read_dataset(name, count, record, data_dir, most_pixels):
    dataset, _ = labelled_data.dataset_of("--calibration", name, record, data_dir)
    # In their order some datasets are sorted by class, and large ones would be read to their end.
    images = dataset.train.shuffled(seed=0).take(len(_taken(dataset.train.count, count)))
    described = f"an image of {name}"
    with reading_images():
        return _readable(
            described, images, lambda item: prepare_image(item[1], record.preprocessor, described, most_pixels)
        )


def _readable(source, items, read, left_out=()):
    """Reads what can be read, and says what is left out and why; only files have names of their own."""
    images, left_out = [], list(left_out)
    for item in items:
        try:
            images.append(read(item))
        except ImageFileError as error:
            left_out.append(LeftOut(item if isinstance(item, Path) else Path(source), error.reason))
    lines = listing.described(left_out)
    if not images:
        problem = f"calibration can read no image of {source}; give others, or raise --most-pixels"
        raise UserError("; ".join([problem, *lines]))
    for line in lines:
        say(line, file=sys.stderr)
    return np.stack(images)


def _check_variety(images, source):
    different = {image.tobytes() for image in images if np.ptp(image, axis=(0, 1)).any()}
    if len(different) < FEWEST_IMAGES:
        raise UserError(
            f"calibration needs at least {FEWEST_IMAGES} different images that are not of one colour, besides every "
            f"fifth, which checks it; {source} gave {len(different)} of {len(images)}"
        )
