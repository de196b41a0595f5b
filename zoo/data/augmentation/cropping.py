"""How training images are cropped. Every draw is a function of a seed that the caller gives."""

import tensorflow as tf

AREA = (0.08, 1.0)
ASPECT_RATIO = (3 / 4, 4 / 3)
ATTEMPTS = 10


def inception_crop(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Crops 8 to 100 % of an image's area, with an aspect ratio from 3/4 to 4/3.

    Of "Going Deeper with Convolutions", https://arxiv.org/abs/1409.4842. After ten draws that do not fit into the
    image it stays whole.

    Args:
        image: uint8 `[height, width, channels]`.
        seed: Integers `[2]`.

    Returns:
        uint8 `[height, width, channels]`, the crop in its own size.
    """
    top, left, height, width = tf.unstack(inception_window(tf.shape(image), seed))
    return image[top : top + height, left : left + width]


def pad_and_crop(image: tf.Tensor, padding: int, seed: tf.Tensor) -> tf.Tensor:
    """Pads an image with black on each side, and crops a window of its original size.

    Args:
        image: uint8 `[height, width, channels]`, its shape known.
        padding: Pixels on each side.
        seed: Integers `[2]`.

    Returns:
        uint8 of the same shape.
    """
    padded = tf.pad(image, [[padding, padding], [padding, padding], [0, 0]])
    return tf.image.stateless_random_crop(padded, image.shape, seed)


def inception_window(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws the window of `inception_crop`.

    Args:
        shape: Of the image, int32 `[3]`.
        seed: Integers `[2]`.

    Returns:
        Top, left, height and width, int32 `[4]`.
    """
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.zeros([1, 0, 4]),  # No object that must be in the crop.
        seed,
        aspect_ratio_range=ASPECT_RATIO,
        area_range=AREA,
        max_attempts=ATTEMPTS,
        # Without an object the image is the object, of which 10 % would have to stay by default.
        min_object_covered=0.0,
        use_image_if_no_bounding_boxes=True,
    )
    return tf.concat([begin[:2], size[:2]], axis=0)
