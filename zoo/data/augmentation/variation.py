"""How a training image is varied. Every draw is a function of the training's seed and the image's position."""

import tensorflow as tf

from lambda_keras.zoo.data.augmentation import cropping
from lambda_keras.zoo.data.augmentation.rand_augment import rand_augment
from lambda_keras.zoo.data.augmentation.random_erasing import random_erasing
from lambda_keras.zoo.data.images import preprocessing
from lambda_keras.zoo.data.images.decoding import decode_and_resize
from lambda_keras.zoo.data.images.resizing import resize, whole
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.recipe import Data


def seeds(seed: int, position: tf.Tensor) -> tf.Tensor:
    """Returns the seeds of an image, int64 `[4, 2]`: for its crop, flip, RandAugment and random erasing.

    Args:
        seed: The training's seed.
        position: int64 scalar, the image's position in the stream.
    """
    return tf.random.split(tf.stack([seed, position]), 4)


def read(image: tf.Tensor, seeds: tf.Tensor, channels: int, data: Data) -> tf.Tensor:
    """Brings the part of an image that is trained on to the size of the model.

    Args:
        image: The bytes of a file, or uint8 `[height, width, channels]`.
        seeds: From `seeds`.
        channels: Channels of the result.
        data: The recipe's `lambda_keras.zoo.recipe.Data`.

    Returns:
        uint8 `[image_size, image_size, channels]`.
    """
    if data.crop != "inception":
        return preprocessing.prepare(image, channels, data, data.most_pixels)

    def plan(shape):
        return whole(shape, (data.image_size, data.image_size), data.interpolation)

    def draw_window(shape):
        return cropping.inception_window(shape, seeds[0])

    if image.dtype == tf.string:
        return decode_and_resize(image, channels, data.most_pixels, plan, draw_window)
    image = cropping.inception_crop(image, seeds[0])
    return resize(image, plan(tf.shape(image)[:2]))


def vary(image: tf.Tensor, seeds: tf.Tensor, dataset: Dataset, data: Data) -> tf.Tensor:
    """Varies an image.

    Args:
        image: uint8 `[image_size, image_size, channels]`, from `read`.
        seeds: From `seeds`.
        dataset: The `lambda_keras.zoo.data.splits.Dataset` it belongs to.
        data: The recipe's `lambda_keras.zoo.recipe.Data`.

    Returns:
        uint8 `[image_size, image_size, channels]`.
    """
    crop_seed, flip_seed, operations_seed, erasing_seed = tf.unstack(seeds)
    if data.crop == "pad":
        image = cropping.pad_and_crop(image, data.crop_padding, crop_seed)
    if data.horizontal_flip:
        image = tf.image.stateless_random_flip_left_right(image, flip_seed)
    if data.randaugment_layers:
        image = rand_augment(image, data.randaugment_layers, data.randaugment_magnitude, operations_seed)
    if data.random_erasing:
        image = random_erasing(image, data.random_erasing, dataset.mean, dataset.std, erasing_seed)
    return image
