"""Images with their labels: as `lambda-zoo train` writes them beside the model, or what `lambda-zoo evaluate` takes."""

import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

import lambda_keras as lk
from lambda_keras.export.images.normalisation import check_normalisation
from lambda_keras.text import first_line
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.data import reading
from lambda_keras.zoo.data.sources import listing
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models import labelled_data
from lambda_keras.zoo.models.record import Record

ARRAYS = ("images", "labels", "mean", "std")
EXPECTED = "labelled images are the test.npz that `lambda-zoo train` writes, a folder, a .csv file or a dataset"
BATCH_SIZE = 64


@dataclass(frozen=True)
class LabelledImages:
    """Images, their labels, and how the model wants them normalised.

    Attributes:
        images: uint8 [n, height, width, channels], 0..255.
        labels: integers [n].
        mean: float32 [channels] on the scale 0..1, for `lambda_keras.preprocess_input`.
        std: float32 [channels] on the scale 0..1.
    """

    images: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    def normalised(self, start: int, stop: int) -> np.ndarray:
        """The images `start` to `stop` as the model takes them: float32 [images, height, width, channels]."""
        return np.asarray(lk.preprocess_input(self.images[start:stop], mean=self.mean, std=self.std))


def load_test_images(
    source: str | Path, model: keras.Model, record: Record | None, data_dir: Path | None = None
) -> LabelledImages:
    """Loads images to compare artifacts of `model` with it.

    Args:
        source: An .npz file as for `load_labelled_images`; or a folder, a table or a dataset, as for
            `lambda_keras.zoo.models.labelled_data.load`, of which it takes the test part, or all images where there are
            no parts.
        model: The classifier.
        record: The model's record, with the size of the images that it takes; `None` if it has none.
        data_dir: Where the dataset is, as for `lambda_keras.zoo.data.catalog.load`.

    Raises:
        UserError: There is no such source, it does not fit the model or its record, or it is more than the memory
            holds.

    Example:
        >>> load_test_images("digits", classifier.model, classifier.record).images.shape  # doctest: +SKIP
        (450, 32, 32, 1)
    """
    path = Path(source)
    if is_arrays(source):
        labelled_data.refuse_data_dir("--data", source, data_dir)
        data = load_labelled_images(path, model)
        check_normalisation(path, data.mean, data.std, record, "give the test.npz of this model")
        return data
    record = need_record("--data", source, record)
    images, labels = _read_test_part(source, record, data_dir)
    preprocessor = record.preprocessor
    mean, std = np.array(preprocessor.mean, "float32"), np.array(preprocessor.std, "float32")
    data = LabelledImages(images, labels, mean, std)
    _check(data, path, model)
    return data


def is_arrays(source: str | Path) -> bool:
    """Whether an option names an .npz file, rather than what `lambda_keras.zoo.models.labelled_data.load` takes.

    Any file counts that is no table of images: `load_labelled_images` says what is wrong with it.

    Raises:
        UserError: It is an archive.
    """
    return not labelled_data.is_files(source) and (Path(source).is_file() or Path(source).suffix == ".npz")


def need_record(option: str, source: str | Path, record: Record | None) -> Record:
    """Returns the record, without which images that are not prepared yet cannot be given to a model.

    Raises:
        UserError: There is none.
    """
    if record is None:
        raise UserError(
            f"{option} {source} needs a record.json beside the model: without it nobody knows how the model wants "
            f"images; write it with `lambda-zoo write-record`, or give {option} the test.npz of its training"
        )
    return record


def _read_test_part(source, record, data_dir):
    found = labelled_data.load("--data", source, record, data_dir=data_dir)
    count = found.split.count
    size = record.preprocessor.image_size
    shape = (count, size, size, record.preprocessor.channels)
    try:
        room = np.empty(shape, "uint8")
    except MemoryError as error:
        raise UserError(
            f"the {count} images of {found.name} do not fit into memory; give fewer, or some in an .npz file"
        ) from error
    images, labels, positions = reading.collect(found.batches(BATCH_SIZE), reading.Batch.readable, room)
    unread = found.unread(positions)
    # Only files have names.
    if len(images) < count and not unread:
        say(f"images of {found.name} that could not be read: {count - len(images)} of {count}", file=sys.stderr)
    for line in listing.described([*found.left_out, *unread]):
        say(line, file=sys.stderr)
    return images, labels


def load_labelled_images(path: Path, model: keras.Model) -> LabelledImages:
    """Loads images for `model` to classify.

    Args:
        path: An .npz file with the arrays of `LabelledImages`; it may have others.
        model: The classifier.

    Raises:
        UserError: There is no such file, it is no .npz file, lacks an array, or does not fit the model.
    """
    if not path.is_file():
        raise UserError(f"no such file: {path}; {EXPECTED}")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is not an .npz file; {EXPECTED}")
    try:
        data = _read(path)
    except UserError:
        raise
    # Pickled objects, an array that is larger than the memory, or damaged bytes, for which NumPy and zipfile raise what
    # they happen to stumble over.
    except Exception as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}; {EXPECTED}") from error
    _check(data, path, model)
    return data


def _read(path):
    with np.load(path, allow_pickle=False) as archive:
        if missing := [name for name in ARRAYS if name not in archive]:
            raise UserError(f"{path} lacks {', '.join(missing)}, it has {archive.files}; {EXPECTED}")
        return LabelledImages(**{name: archive[name] for name in ARRAYS})


def _check(data: LabelledImages, path: Path, model: keras.Model) -> None:
    images, labels = data.images, data.labels
    fits = len(images.shape) == 4 and all(
        want in (None, got) for want, got in zip(model.input_shape, images.shape, strict=True)
    )
    if not fits or len(images) == 0 or images.dtype != np.uint8:
        raise UserError(
            f"{path} does not fit the model: expected images uint8 {model.input_shape}, at least one, "
            f"got {images.dtype} {images.shape}"
        )
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"{path}: expected labels as integers ({len(images)},), got {labels.dtype} {labels.shape}")
    classes = model.output_shape[-1]
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"{path} does not fit the model: expected labels 0 to {classes - 1}, got {labels.min()} to {labels.max()}"
        )
    for name in ("mean", "std"):
        if getattr(data, name).shape != images.shape[3:]:
            raise UserError(f"{path}: expected {name} {images.shape[3:]}, got {getattr(data, name).shape}")
