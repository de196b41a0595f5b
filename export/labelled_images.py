"""Images with their labels, as `lambda-zoo train` writes them beside the model."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

import lambda_keras as lk
from zoo.errors import UserError

ARRAYS = ("images", "labels", "mean", "std")
EXPECTED = "labelled images are the test.npz that `lambda-zoo train` writes"


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
    with np.load(path, allow_pickle=False) as archive:
        missing = [name for name in ARRAYS if name not in archive]
        if missing:
            raise UserError(f"{path} lacks {', '.join(missing)}, it has {archive.files}; {EXPECTED}")
        try:
            data = LabelledImages(**{name: archive[name] for name in ARRAYS})
        except (ValueError, zipfile.BadZipFile) as error:  # pickled objects, or a damaged file
            raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}; {EXPECTED}") from error
    _check(data, path, model)
    return data


def _check(data: LabelledImages, path: Path, model: keras.Model) -> None:
    images, labels = data.images, data.labels
    fits = len(images.shape) == 4 and all(
        want in (None, got) for want, got in zip(model.input_shape, images.shape, strict=True)
    )
    if not fits or len(images) == 0 or images.dtype != np.uint8:
        raise UserError(
            f"{path} does not fit the model: expected images uint8 {model.input_shape}, at least one, "
            f"received {images.dtype} {images.shape}"
        )
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"{path}: expected labels as integers ({len(images)},), received {labels.dtype} {labels.shape}")
    classes = model.output_shape[-1]
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"{path} does not fit the model: expected labels 0 to {classes - 1}, "
            f"received {labels.min()} to {labels.max()}"
        )
    for name in ("mean", "std"):
        if getattr(data, name).shape != images.shape[3:]:
            raise UserError(f"{path}: expected {name} {images.shape[3:]}, received {getattr(data, name).shape}")
