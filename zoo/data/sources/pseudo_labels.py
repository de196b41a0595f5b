"""Pseudo-labelled images as `lambda-zoo pseudo-label select` writes them: TFRecord shards and `pseudo.json`.

A record is a `tf.train.Example`: the bytes of an image file, and of some classes the probabilities that the teacher
gave them. What is left of the probability is spread evenly over the other classes.
"""

import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import tensorflow as tf
from pydantic import BaseModel, Field, NonNegativeInt, ValidationError

from lambda_keras.zoo.data.record_streams import STREAMS
from lambda_keras.zoo.data.splits import RecordSplit
from lambda_keras.zoo.errors import UserError, shown

INDEX = "pseudo.json"
# Bytes: with 100,000 shards it has a twentieth of that.
_LARGEST_INDEX = 10**8


class PseudoLabels(NamedTuple):
    """Pseudo-labelled images.

    Attributes:
        split: The images; a label is float32 `[classes]`, the probability of each class.
        teacher: The name of the model that labelled them.
        sha256: The hash of the folder's `pseudo.json`, which another selection does not have.
    """

    split: RecordSplit
    teacher: str
    sha256: str

    def described(self) -> dict[str, str]:
        """Returns what a run that is continued must find again, for its folder."""
        return {"pseudo_labels": self.sha256, "pseudo_label_order": self.split.described()["order"]}


class _Teacher(BaseModel):
    name: str


class _Index(BaseModel):
    """What training reads of `pseudo.json`."""

    format: Literal[1]
    classes: list[str]
    teacher: _Teacher
    shards: dict[str, NonNegativeInt] = Field(min_length=1)


def load(folder: str | os.PathLike, class_names: Sequence[str], streams: int | None = None) -> PseudoLabels:
    """Reads a folder of pseudo-labelled images.

    Args:
        folder: The folder.
        class_names: The classes of the labelled images, in order.
        streams: As for `lambda_keras.zoo.data.splits.RecordSplit`.

    Returns:
        A `PseudoLabels`.

    Raises:
        UserError: It is no such folder, it has other classes, a shard is missing, or there are no images.
    """
    path = Path(folder, INDEX)
    if not path.is_file():
        raise UserError(f"{folder} has no {INDEX}; give what `lambda-zoo pseudo-label select` wrote, to its end")
    if path.stat().st_size > _LARGEST_INDEX:
        raise UserError(f"{path} has {path.stat().st_size:,} bytes, over the limit of {_LARGEST_INDEX:,}")
    content = path.read_bytes()
    try:
        index = _Index.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise UserError(
            f"{path} is not as it was written: {where} {problem['msg'].splitlines()[0]}; select anew"
        ) from error
    _check_classes(index.classes, class_names, path)
    files = [_file(Path(folder), name, count) for name, count in sorted(index.shards.items())]
    if not any(count for *_, count in files):
        raise UserError(f"{path} has no images; select anew with other settings")
    split = RecordSplit(files, _parser(len(class_names)), streams or STREAMS)
    return PseudoLabels(split, index.teacher.name, hashlib.sha256(content).hexdigest())


def shares(classes: tf.Tensor, probabilities: tf.Tensor, rest: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns the probability of each class.

    Args:
        classes: Those that are named, int64 `[named]`, each once.
        probabilities: Theirs, float32 `[named]`.
        rest: That of all others together, float32 scalar.
        num_classes: Number of classes.

    Returns:
        float32 `[num_classes]`.

    Example:
        >>> shares([2], [0.7], 0.3, 4).numpy()
        array([0.1, 0.1, 0.7, 0.1], dtype=float32)
    """
    share = tf.math.divide_no_nan(rest, tf.cast(num_classes - tf.size(classes), tf.float32))
    indices = tf.expand_dims(tf.cast(classes, tf.int64), -1)
    return tf.tensor_scatter_nd_update(tf.fill([num_classes], share), indices, probabilities)


def _check_classes(received, expected, path):
    for label, (theirs, ours) in enumerate(itertools.zip_longest(received, expected)):
        if theirs != ours:
            raise UserError(
                f"{path} has other classes than the labelled images: class {label} is {shown(theirs)} there and "
                f"{shown(ours)} here; they must be the same in the same order"
            )


def _file(folder, name, count):
    if Path(name).name != name or not (folder / name).is_file():
        raise UserError(f"{folder} has no shard {shown(name)}, which its {INDEX} names; select anew")
    return str(folder / name), 0, count


def _parser(num_classes: int) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    features: dict[str, Any] = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "classes": tf.io.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
        "probabilities": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
        "rest": tf.io.FixedLenFeature([], tf.float32),
    }

    def parse(serialised):
        example = tf.io.parse_single_example(serialised, features)
        return example["image"], shares(example["classes"], example["probabilities"], example["rest"], num_classes)

    return parse
