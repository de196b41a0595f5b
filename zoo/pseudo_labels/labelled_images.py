"""Images and what a teacher said of them, put together again."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lambda_keras.zoo.command_line import progress_bar
from lambda_keras.zoo.errors import UserError, writing_to
from lambda_keras.zoo.pseudo_labels import labels_folder, soft_labels, source
from lambda_keras.zoo.pseudo_labels.images import Images, starts, stream, where
from lambda_keras.zoo.pseudo_labels.labels_folder import Description


class Labelled(NamedTuple):
    """Images and what a teacher said of them first; an image has a number, which counts over all shards.

    Attributes:
        images: The `lambda_keras.zoo.pseudo_labels.images.Images`.
        description: The `lambda_keras.zoo.pseudo_labels.labels_folder.Description` of the labels.
        paths: Their files.
        counts: Images of each shard.
        labels: int64 `[images]`, the most probable class; of an unreadable image `soft_labels.NONE`.
        confidence: float32 `[images]`, its probability.
    """

    images: Images
    description: Description
    paths: list[Path]
    counts: list[int]
    labels: np.ndarray
    confidence: np.ndarray

    @property
    def is_labelled(self) -> np.ndarray:
        """Which images have a label: bool `[images]`."""
        return self.labels != soft_labels.NONE

    def positions(self, numbers: np.ndarray) -> list[tuple[int, int]]:
        """The shard of each image, and its place there.

        Args:
            numbers: Integers `[n]`.
        """
        first = starts(self.counts)
        shards = np.searchsorted(first, numbers, side="right") - 1
        return list(zip(shards.tolist(), (numbers - first[shards]).tolist(), strict=True))

    def examples(self, copies: np.ndarray) -> Iterator[tuple[tf.train.Example, int]]:
        """Yields the images of which there are to be copies.

        Args:
            copies: Integers `[images]`.

        Yields:
            A record of `lambda_keras.zoo.pseudo_labels.pseudo_folder`, and how many copies of it there are to be.

        Raises:
            UserError: An image is another one than that which was labelled.
        """
        first, shard = starts(self.counts), None
        records: list[bytes] = []
        found = stream(self.images, where(copies > 0, self.counts))
        for image in progress_bar(found, desc="writing", total=int((copies > 0).sum()), unit="image"):
            if image.shard != shard:
                shard = image.shard
                records, _ = labels_folder.labels_of(self.paths[shard], self.description.top)
            example = tf.train.Example.FromString(records[image.place])
            features = example.features.feature
            if (labelled := features["id"].bytes_list.value[0]) != image.id:
                raise UserError(
                    f"{self.paths[shard]} has the label of {labelled!r} in the place of {image.id!r}: the images are "
                    "others than those that were labelled; label these to a new folder"
                )
            encoded = image.image if isinstance(image.image, bytes) else tf.io.encode_png(image.image).numpy()
            features["image"].bytes_list.value.append(encoded)
            yield example, int(copies[first[shard] + image.place])


def read(folder: Path, data: str | None = None, data_dir: str | None = None) -> Labelled:
    """Reads labels, and finds their images.

    Args:
        folder: A folder of labels, see `lambda_keras.zoo.pseudo_labels.labels_folder`.
        data: Where the images are now, if not where they were labelled.
        data_dir: The same of the folder of a dataset's name.

    Returns:
        A `Labelled`.

    Raises:
        UserError: Labels are missing or damaged, or the images are others than those that were labelled.
    """
    description = labels_folder.read(folder)
    was = description.data
    place = source.Place(data or was.data, data_dir or was.data_dir, was.split)
    paths = [folder / name for name in description.names()]
    with writing_to(folder):
        if labels_folder.finish(folder, description) is None:
            missing = [path.name for path in paths if not path.is_file()]
            raise UserError(
                f"{folder} lacks {len(missing):,} of {len(paths):,} files of labels, the first is {missing[0]}; label "
                "all shards first"
            )
    images = source.find(place, was.images_per_shard)
    if images.sha256 != was.sha256:
        raise UserError(
            f"{place.data} has other images than those that were labelled; say where these are with --data, or label "
            "the images again to a new folder"
        )
    columns = []
    for path in progress_bar(paths, desc="reading labels", unit="shard"):
        _, said = labels_folder.labels_of(path, description.top)
        columns.append((said.classes[:, 0], said.probabilities[:, 0]))
    labels, confidence = zip(*columns, strict=True)
    counts = [len(column) for column in labels]
    return Labelled(images, description, paths, counts, np.concatenate(labels), np.concatenate(confidence))
