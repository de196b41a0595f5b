"""What a model says of a split: all probabilities, the images of its worst mistakes and some that it recognised."""

import csv
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lambda_keras.atomic import replacing
from lambda_keras.zoo.data import reading
from lambda_keras.zoo.data.files import csv_cells
from lambda_keras.zoo.data.splits import Dataset, Split
from lambda_keras.zoo.models.classifier import Classifier

WORST = 24
RECOGNISED = 3


@dataclass(frozen=True)
class Predictions:
    """Predictions of the images of a split that could be read.

    Attributes:
        names: What each image is called: its path, or its number in the dataset.
        labels: int64 `[n]`.
        probabilities: float32 `[n, classes]`.
        worst: Indices of the mistakes that the model was surest of, the worst first; at most `WORST`.
        recognised: Indices of the first recognised image of each class; at most `RECOGNISED`.
        pictures: `{index: uint8 [image_size, image_size, channels]}` of `worst` and `recognised`.
    """

    names: list[str]
    labels: np.ndarray
    probabilities: np.ndarray
    worst: list[int]
    recognised: list[int]
    pictures: dict[int, np.ndarray]

    @property
    def predicted(self) -> np.ndarray:
        """The most probable class of each image, int64 `[n]`."""
        return self.probabilities.argmax(axis=-1)


def predict(
    classifier: Classifier, split: Split, dataset: Dataset, names: Sequence[str], batch_size: int = 32
) -> Predictions:
    """Classifies all images of a split.

    Args:
        classifier: A `lambda_keras.zoo.models.classifier.Classifier`.
        split: The `lambda_keras.zoo.data.splits.Split`.
        dataset: The `lambda_keras.zoo.data.splits.Dataset` it belongs to.
        names: What each image of the split is called, in order.
        batch_size: Images at a time.

    Returns:
        A `Predictions`.
    """
    album = _Album()

    def classify(batch):
        probabilities = classifier.probabilities(batch.images, batch.valid)
        for image, label, shares in zip(batch.readable(), batch.labels.tolist(), probabilities, strict=True):
            album.look_at(image, label, shares)
        return probabilities

    batches = reading.batches(split, dataset, classifier.record.data(), batch_size=batch_size)
    room = np.empty((split.count, len(dataset.class_names)), "float32")
    probabilities, labels, positions = reading.collect(batches, classify, room)
    return Predictions(
        [names[position] for position in positions],
        labels,
        probabilities,
        [index for _, index in sorted(album.worst, reverse=True)],
        list(album.recognised.values()),
        album.pictures,
    )


class _Album:
    """The pictures to keep of images that pass one after the other, too many to keep them all.

    Attributes:
        worst: The probability and the index of the mistakes that the model was surest of, a heap.
        recognised: `{class: index}` of the first recognised images.
        pictures: As in `Predictions`.
    """

    def __init__(self):
        self.worst: list[tuple[float, int]] = []
        self.recognised: dict[int, int] = {}
        self.pictures: dict[int, np.ndarray] = {}
        self._seen = 0

    def look_at(self, image, label, shares):
        """Keeps the next image, or lets it pass; `shares` are the probabilities of its classes."""
        index = self._seen
        self._seen += 1
        if shares.argmax() != label:
            heapq.heappush(self.worst, (float(shares.max()), index))
            self.pictures[index] = image.copy()
            if len(self.worst) > WORST:
                del self.pictures[heapq.heappop(self.worst)[1]]
        elif label not in self.recognised and len(self.recognised) < RECOGNISED:
            self.recognised[label] = index
            self.pictures[index] = image.copy()


def write(predictions: Predictions, class_names: Sequence[str], path: Path) -> None:
    """Writes a CSV file: image, label, predicted class, its probability, and that of the label.

    Args:
        predictions: A `Predictions`.
        class_names: The name of each class.
        path: The file.
    """
    with replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "label", "predicted", "probability", "probability_of_label"))
        for name, label, shares in zip(predictions.names, predictions.labels, predictions.probabilities, strict=True):
            predicted = shares.argmax()
            figures = (f"{shares[predicted]:.6f}", f"{shares[label]:.6f}")
            writer.writerow(csv_cells.neutral((name, class_names[label], class_names[predicted], *figures)))
