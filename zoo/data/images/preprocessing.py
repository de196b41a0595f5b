"""What every image goes through, in training, evaluation and prediction alike: decoding and resizing."""

import tensorflow as tf

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data.images.decoding import LARGE_PIXELS, decode_and_resize
from lambda_keras.zoo.data.images.resizing import middle, resize
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.recipe import Data


def prepare(
    image: tf.Tensor | bytes,
    channels: int,
    size: Data | Preprocessor,
    most_pixels: int = MOST_PIXELS,
    large: int = LARGE_PIXELS,
) -> tf.Tensor:
    """Decodes, resizes and crops an image as a model wants it in evaluation.

    Args:
        image: Scalar string, the bytes of a file; or a decoded image with the channels.
        channels: Channels of the result.
        size: What has `image_size`, `evaluation_crop` and `interpolation` as
            `lambda_keras.zoo.data.images.resizing.middle` takes them: a `lambda_keras.zoo.recipe.Data` or a
            `lambda_keras.weights.Preprocessor`.
        most_pixels: As for `lambda_keras.zoo.data.images.decoding.decode`.
        large: As for `lambda_keras.zoo.data.images.decoding.decode_and_resize`.

    Returns:
        uint8 `[image_size, image_size, channels]`.

    Raises:
        tf.errors.InvalidArgumentError: As for `lambda_keras.zoo.data.images.decoding.decode`.
    """

    def plan(shape):
        return middle(shape, size.image_size, size.evaluation_crop, size.interpolation)

    image = tf.convert_to_tensor(image)
    if image.dtype != tf.string:
        return resize(image, plan(tf.shape(image)[:2]))
    return decode_and_resize(image, channels, most_pixels, plan, large=large)
