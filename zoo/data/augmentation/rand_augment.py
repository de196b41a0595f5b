"""RandAugment with the image operations of tf-models-official, but with draws that can be repeated.

`official.vision.ops.augment.RandAugment` draws from TensorFlow's global generator: a training that was stopped and
resumed would see other images. Here operation, sign and the centre of cutout are functions of a seed, and everything
else is official's: its operations, its probabilities (each of 16 operations and none, equally often) and its levels.

Paper: "RandAugment: Practical automated data augmentation with a reduced search space",
https://arxiv.org/abs/1909.13719.
"""

from collections.abc import Callable

import tensorflow as tf

# What official's RandAugment has by default: the level that magnitudes are shares of, and the sizes in pixels that
# belong to it, meant for images of about 224 pixels.
LEVELS = 10
CUTOUT = 40
TRANSLATION = 100
GREY = 128
CHANNELS = (1, 3)


def rand_augment(image: tf.Tensor, layers: int, magnitude: float, seed: tf.Tensor) -> tf.Tensor:
    """Applies operations drawn at random to an image, one after the other.

    Args:
        image: uint8 `[height, width, channels]` with 1 or 3 channels.
        layers: How many operations.
        magnitude: Their strength; above 10 it extrapolates.
        seed: Integers `[2]`.

    Returns:
        uint8 of the same shape.
    """
    shape = image.shape
    if shape[-1] == 1:
        image = tf.image.grayscale_to_rgb(image)
    for layer_seed in tf.unstack(tf.random.split(seed, layers)):
        image = _one_of(operations(magnitude), image, layer_seed)
    return tf.ensure_shape(image[..., : shape[-1]], shape)


def operations(magnitude: float) -> dict[str, Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]]:
    """Returns the operations by name, functions of an image `[height, width, 3]`, a sign and a centre.

    Args:
        magnitude: Their strength.

    Returns:
        A dictionary in official's order. The sign, a float of -1 or 1, is used by rotations, shears and
        translations, the centre, two shares of height and width from 0 up to 1, by cutout.
    """
    from official.vision.ops import augment

    level = magnitude / LEVELS
    enhancement = 1.8 * level + 0.1
    # From 8 bits on there is nothing to remove.
    bits = min(int(4 * level), 8)
    # An 8-bit number, as official's becomes: at magnitude 10 it is 0, which inverts the image.
    threshold = int(256 * level) % 256
    replace = [GREY] * 3
    return {
        "AutoContrast": lambda image, sign, centre: augment.autocontrast(image),
        "Equalize": lambda image, sign, centre: augment.equalize(image),
        "Invert": lambda image, sign, centre: augment.invert(image),
        "Rotate": lambda image, sign, centre: augment.wrapped_rotate(image, sign * 30 * level, replace),
        "Posterize": lambda image, sign, centre: augment.posterize(image, bits),
        "Solarize": lambda image, sign, centre: augment.solarize(image, threshold),
        "Color": lambda image, sign, centre: augment.color(image, enhancement),
        "Contrast": lambda image, sign, centre: augment.contrast(image, enhancement),
        "Brightness": lambda image, sign, centre: augment.brightness(image, enhancement),
        "Sharpness": lambda image, sign, centre: augment.sharpness(image, enhancement),
        "ShearX": lambda image, sign, centre: augment.shear_x(image, sign * 0.3 * level, replace),
        "ShearY": lambda image, sign, centre: augment.shear_y(image, sign * 0.3 * level, replace),
        "TranslateX": lambda image, sign, centre: augment.translate_x(image, sign * TRANSLATION * level, replace),
        "TranslateY": lambda image, sign, centre: augment.translate_y(image, sign * TRANSLATION * level, replace),
        "Cutout": lambda image, sign, centre: cutout(image, int(CUTOUT * level), centre),
        "SolarizeAdd": lambda image, sign, centre: augment.solarize_add(image, int(110 * level)),
    }


def cutout(image: tf.Tensor, half_side: int, centre: tf.Tensor) -> tf.Tensor:
    """Makes a square of an image grey, or what of it is within the image.

    Official's function draws its centre itself, so this is ours.

    Args:
        image: uint8 `[height, width, channels]`.
        half_side: Half of the square's side in pixels.
        centre: float32 `[2]`, shares of height and width from 0 up to 1.

    Returns:
        uint8 of the same shape.
    """
    height, width, _ = image.shape
    row, column = tf.unstack(tf.cast(centre * [height, width], tf.int32))
    rows, columns = tf.range(height)[:, None, None], tf.range(width)[None, :, None]
    inside = (rows >= row - half_side) & (rows < row + half_side)
    inside &= (columns >= column - half_side) & (columns < column + half_side)
    return tf.where(inside, tf.constant(GREY, tf.uint8), image)


def _one_of(choices, image, seed):
    choice_seed, sign_seed, centre_seed = tf.unstack(tf.random.split(seed, 3))
    choice = tf.random.stateless_uniform([], choice_seed, maxval=len(choices) + 1, dtype=tf.int32)
    sign = tf.cast(2 * tf.random.stateless_uniform([], sign_seed, maxval=2, dtype=tf.int32) - 1, tf.float32)
    centre = tf.random.stateless_uniform([2], centre_seed)
    branches = [lambda function=function: _as(image, function(image, sign, centre)) for function in choices.values()]
    return tf.switch_case(choice, [*branches, lambda: tf.identity(image)])


def _as(image, result):
    return tf.ensure_shape(result, image.shape)
