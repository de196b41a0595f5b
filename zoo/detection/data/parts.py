"""What every source of pictures with objects returns: a part, and what is known of a picture before it is decoded."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from lambda_keras.zoo.data.splits import Split

# What to do with data without masks.
BOXES_ALONE = "train a detector of boxes alone (model.masks=false); inspect-data and shards take --boxes-only"


class Category(NamedTuple):
    """A kind of objects.

    Attributes:
        id: Its number in COCO's files. There are gaps between these; the class of an object is 1 for the lowest, 2 for
            the next, and so on, and 0 is the background.
        name: What it is called.
    """

    id: int
    name: str


class Annotations(NamedTuple):
    """What is known of one picture; tensors.

    Attributes:
        image_id: Its number, int64 scalar.
        size: Height and width of the pixels that its boxes refer to, int32 `[2]`.
        coco_boxes: float64 `[objects, 4]`: x, y, width and height in pixels, to the bit as in the file.
        classes: int32 `[objects]`, from 1.
        is_crowd: bool `[objects]`: whether it is a group that is not annotated one by one.
        areas: float64 `[objects]`, in pixels, as the file has them.
        crops: string `[objects]`: the masks for training, see `lambda_keras.zoo.detection.data.masks.crop`; empty for a
            crowd, and where there are no masks.
        counts: string `[objects]`: the masks in COCO's compressed encoding, for evaluation; empty where there are none.
    """

    image_id: tf.Tensor
    size: tf.Tensor
    coco_boxes: tf.Tensor
    classes: tf.Tensor
    is_crowd: tf.Tensor
    areas: tf.Tensor
    crops: tf.Tensor
    counts: tf.Tensor


class Report(NamedTuple):
    """What was found in a file, and what was left out of it.

    Attributes:
        pictures: How many there are.
        pictures_without_objects: How many of them have no object. They stay, in training too.
        objects: How many there are, crowds included.
        crowds: How many of these are crowds.
        skipped: For each reason, how much was left out.
        most_objects: How many the picture with the most has, without crowds; `None` where nobody counted.
    """

    pictures: int
    pictures_without_objects: int
    objects: int
    crowds: int
    skipped: dict[str, int]
    most_objects: int | None = None

    def left_out(self) -> list[str]:
        """What was left out, if anything, as words for a person.

        Example:
            >>> Report(3, 1, 5, 0, {"boxes without an area": 2, "boxes outside of their picture": 0}).left_out()
            ['2 boxes without an area']
        """
        return [f"{count:,} {reason}" for reason, count in self.skipped.items() if count]

    def lines(self) -> list[str]:
        """The same as lines for a person.

        Example:
            >>> Report(3, 1, 5, 0, {"boxes without an area": 2}, most_objects=4).lines()[:2]
            ['3 pictures, 1 without an object', '5 objects, 0 of them crowds, at most 4 in a picture']
        """
        most = f", at most {self.most_objects:,} in a picture" if self.most_objects else ""
        return [
            f"{self.pictures:,} pictures, {self.pictures_without_objects:,} without an object",
            f"{self.objects:,} objects, {self.crowds:,} of them crowds{most}",
            *(f"skipped: {words}" for words in self.left_out()),
        ]


@dataclass(frozen=True)
class Part:
    """Pictures with their objects: what a training or an evaluation reads.

    Attributes:
        split: A `lambda_keras.zoo.data.splits.Split` whose images are the bytes of files, and which has an
            `Annotations` in the place of the label.
        categories: The kinds of objects in the order of their classes.
        has_masks: Whether objects have masks.
        report: What was found; `None` where it is not known before all was read.
        licences: The names of those that the pictures are under, as far as the data say.
    """

    split: Split
    categories: tuple[Category, ...]
    has_masks: bool
    report: Report | None
    licences: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What there is, as lines for a person."""
        return self.report.lines() if self.report else [f"{self.split.count:,} pictures"]

    def left_out(self) -> list[str]:
        """What was left out of the data, as words for a person; nothing where it is not known."""
        return self.report.left_out() if self.report else []
