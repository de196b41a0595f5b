"""How a training image is varied. Every draw is a function of the training's seed and the image's position."""

import tensorflow as tf

from lambda_keras.zoo.data import cropping, preprocessing
from lambda_keras.zoo.data.rand_augment import rand_augment
from lambda_keras.zoo.data.random_erasing import random_erasing


def seeds(seed, position):
    """Returns the seeds of an image, int64 `[4, 2]`: for its crop, flip, RandAugment and random erasing.

    Args:
        seed: The training's seed.
        position: int64 scalar, the image's position in the stream.
    """
    return tf.random.split(tf.stack([seed, position]), 4)


def readers(channels, data):
    """Returns the ways to get the part of an image that is trained on, to be tried one after the other.

    Args:
        channels: Channels of the result.
        data: The recipe's `lambda_keras.zoo.recipe.Data`.

    Returns:
        A list of functions of an image and its seeds. The last takes bytes of a file and decoded images alike, the
        others know some kinds of files only. They return uint8 `[height, width, channels]`, of any size.
    """

    def whole(image, seeds):
        return preprocessing.decode(image, channels)

    def inception(image, seeds):
        return cropping.inception_crop(whole(image, seeds), seeds[0])

    def inception_of_jpeg(encoded, seeds):
        return cropping.inception_crop_of_jpeg(encoded, channels, seeds[0])

    if data.crop != "inception":
        return [whole]
    return [inception_of_jpeg, inception] if channels == 3 else [inception]


def vary(image, seeds, dataset, data):
    """Brings what was read to the size of the model, and varies it.

    Args:
        image: uint8 `[height, width, channels]`, from one of `readers`.
        seeds: From `seeds`.
        dataset: The `lambda_keras.zoo.data.splits.Dataset` it belongs to.
        data: The recipe's `lambda_keras.zoo.recipe.Data`.

    Returns:
        uint8 `[image_size, image_size, channels]`.
    """
    crop_seed, flip_seed, operations_seed, erasing_seed = tf.unstack(seeds)
    if data.crop == "inception":
        image = preprocessing.resize(image, [data.image_size, data.image_size], data.interpolation)
    else:
        image = preprocessing.evaluation_crop(image, data.image_size, data.evaluation_crop, data.interpolation)
    if data.crop == "pad":
        image = cropping.pad_and_crop(image, data.crop_padding, crop_seed)
    if data.horizontal_flip:
        image = tf.image.stateless_random_flip_left_right(image, flip_seed)
    if data.randaugment_layers:
        image = rand_augment(image, data.randaugment_layers, data.randaugment_magnitude, operations_seed)
    if data.random_erasing:
        image = random_erasing(image, data.random_erasing, dataset.mean, dataset.std, erasing_seed)
    return image
