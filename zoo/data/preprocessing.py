"""What every image goes through, in training, evaluation and prediction alike: decoding and resizing."""

import tensorflow as tf

from lambda_keras.zoo.data.decoding import LARGE_PIXELS, decode_and_resize
from lambda_keras.zoo.recipe import MOST_PIXELS


def prepare(image, channels, size, most_pixels=MOST_PIXELS, large=LARGE_PIXELS):
    """Decodes, resizes and crops an image as a model wants it in evaluation.

    Args:
        image: Scalar string, the bytes of a file; or a decoded image with the channels.
        channels: Channels of the result.
        size: What has `image_size`, `evaluation_crop` and `interpolation` as `evaluation_crop` takes them: a
            `lambda_keras.zoo.recipe.Data` or a `lambda_keras.weights.Preprocessor`.
        most_pixels: As for `lambda_keras.zoo.data.decoding.decode`.
        large: As for `lambda_keras.zoo.data.decoding.decode_and_resize`.

    Returns:
        uint8 `[image_size, image_size, channels]`.

    Raises:
        tf.errors.InvalidArgumentError: As for `lambda_keras.zoo.data.decoding.decode`.
    """

    def crop(image):
        return evaluation_crop(image, size.image_size, size.evaluation_crop, size.interpolation)

    image = tf.convert_to_tensor(image)
    if image.dtype != tf.string:
        return crop(image)
    return decode_and_resize(image, channels, most_pixels, crop, large=large)


def evaluation_crop(image, image_size, share, interpolation):
    """Resizes an image so that `share` of the shorter side becomes `image_size`, and keeps the square in the middle.

    Rounds as timm does, so that weights from there see the images they were measured with. Only what is kept is
    computed: a long strip of an image would fill the memory.

    Args:
        image: uint8 `[height, width, channels]` of any size.
        image_size: Side of the result in pixels.
        share: The recipe's `evaluation_crop`, above 0 and up to 1.
        interpolation: `bilinear` or `bicubic`.

    Returns:
        uint8 `[image_size, image_size, channels]`.
    """
    shorter = int(image_size / share)
    size = tf.shape(image)[:2]
    resized = tf.maximum(size * shorter // tf.reduce_min(size), shorter)
    corner = tf.round((resized - image_size) / 2)
    # What tf.image.resize with antialiasing does, with a translation.
    squares = tf.raw_ops.ScaleAndTranslate(
        images=image[tf.newaxis],
        size=[image_size, image_size],
        scale=tf.cast(resized / size, tf.float32),
        translation=-tf.cast(corner, tf.float32),
        kernel_type={"bilinear": "triangle", "bicubic": "keyscubic"}[interpolation],
        antialias=True,
    )
    return _to_bytes(squares[0])


def resize(image, size, interpolation):
    """Resizes an image, with antialiasing where it becomes smaller.

    Args:
        image: uint8 `[height, width, channels]`.
        size: The new height and width.
        interpolation: `bilinear` or `bicubic`.

    Returns:
        uint8 `[*size, channels]`.
    """
    return _to_bytes(tf.image.resize(image, size, interpolation, antialias=True))


def _to_bytes(image):
    # Bicubic overshoots at edges, so saturate_cast has to clip.
    return tf.saturate_cast(tf.round(image), tf.uint8)
