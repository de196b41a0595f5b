"""Scale jitter and flip of a picture, its boxes and masks. Every draw is a function of a seed that the caller gives.

As in tf-models-official (`resize_and_crop_image` in official/vision/ops/preprocess_ops.py), with two differences:
pictures that are made smaller are smoothed first, as everywhere here, and the flip comes last.
"""

from typing import NamedTuple

import tensorflow as tf

from lambda_keras.zoo.data.images.resizing import Resizing


class Placement(NamedTuple):
    """Where a picture lies in the square image that is made of it: at the top left, and what is left is padding.

    Attributes:
        scale: Of height and width, float32 `[2]`: pixels of the image per pixel of the picture.
        offset: Rows and columns of the resized picture that are cut off at the top and on the left, float32 `[2]`.
        content: Rows and columns of the image that the picture covers, float32 `[2]`.
    """

    scale: tf.Tensor
    offset: tf.Tensor
    content: tf.Tensor


def draw(size: tf.Tensor, image_size: int, scales: tuple[float, float], seed: tf.Tensor) -> Placement:
    """Draws how large a picture becomes and, if it is larger than the image then, which part of it stays.

    At scale 1 the longer side is as long as the image; the aspect is kept but for whole pixels.

    Args:
        size: Height and width of the picture, int32 `[2]`.
        image_size: Side of the image in pixels.
        scales: The smallest and the largest scale; the paper has 0.1 and 2.0.
        seed: Integers `[2]`.
    """
    scale_seed, offset_seed = tf.unstack(tf.random.split(seed, 2))
    size = tf.cast(size, tf.float32)
    longer = tf.round(tf.random.stateless_uniform([], scale_seed, *scales) * image_size)
    resized = tf.maximum(tf.round(size * tf.reduce_min(longer / size)), 1)
    most = tf.maximum(resized - image_size, 0)
    offset = tf.floor(most * tf.random.stateless_uniform([2], offset_seed))
    return Placement(resized / size, offset, tf.minimum(resized, image_size))


def resizing(placement: Placement, image_size: int) -> Resizing:
    """How to make the image.

    Args:
        placement: From `draw`.
        image_size: Side of the image in pixels.
    """
    return Resizing((image_size, image_size), placement.scale, -placement.offset, "bilinear")


def place_boxes(coco_boxes: tf.Tensor, placement: Placement) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves boxes to where their objects are in the image.

    Args:
        coco_boxes: `[objects, 4]`: x, y, width and height in pixels of the picture.
        placement: From `draw`.

    Returns:
        The boxes cut at the edges of what is seen of the picture, and as they would be without, both float32
        `[objects, 4]`: ymin, xmin, ymax and xmax in pixels of the image. A box without an area is of an object that is
        not seen.
    """
    x, y, width, height = tf.unstack(coco_boxes, axis=-1)
    corners = tf.cast(tf.stack([y, x, y + height, x + width], axis=-1), tf.float32)
    whole = corners * tf.tile(placement.scale, [2]) - tf.tile(placement.offset, [2])
    return tf.clip_by_value(whole, 0, tf.tile(placement.content, [2])), whole


def flip_image(image: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Mirrors what an image has of a picture, left to right; the padding stays on the right.

    Args:
        image: `[image_size, image_size, channels]`, its shape known.
        columns: How many the picture covers, float32 scalar.
    """
    # All columns backwards have the padding on the left, from where it moves round to the right.
    return tf.roll(image[:, ::-1], tf.cast(columns, tf.int32) - image.shape[1], axis=1)


def flip_boxes(boxes: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """The same of boxes.

    Args:
        boxes: float32 `[objects, 4]`: ymin, xmin, ymax and xmax.
        columns: As for `flip_image`.
    """
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=-1)
    return tf.stack([ymin, columns - xmax, ymax, columns - xmin], axis=-1)


def flip_masks(masks: tf.Tensor) -> tf.Tensor:
    """The same of crops of masks `[objects, rows, columns]`, each in a box of its own."""
    return masks[:, :, ::-1]
