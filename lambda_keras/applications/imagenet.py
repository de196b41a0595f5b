"""Preprocessing, one scheme for all models, and the names of ImageNet's classes."""

import keras
import numpy as np
from keras import ops

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def preprocess_input(x, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """Normalises images: `(x / 255 - mean) / std` for each channel.

    Args:
        x: Images with values from 0 to 255, `[..., channels]`, uint8 or float, array or tensor.
        mean: Mean of each channel on the scale 0 to 1; by default ImageNet's.
        std: Standard deviation of each channel on the same scale.

    Returns:
        float32 of the same shape and kind.

    Raises:
        ValueError: The channels do not match.

    Example:
        >>> x = lk.preprocess_input(np.full((1, 224, 224, 3), 128, "uint8"))
    """
    mean, std = np.asarray(mean, "float32"), np.asarray(std, "float32")
    channels = x.shape[-1]
    if mean.shape != std.shape or mean.shape not in ((channels,), (1,), ()):
        raise ValueError(
            f"`mean` and `std` need one value for each of the {channels} channels. Received: mean={mean.tolist()}, "
            f"std={std.tolist()}"
        )
    if isinstance(x, np.ndarray):
        return (x.astype("float32") / 255 - mean) / std
    return (ops.cast(x, "float32") / 255 - mean) / std


def decode_predictions(preds, top=5):
    """The most probable ImageNet classes of predictions; `keras.applications`' own function.

    Args:
        preds: Probabilities `[batch, 1000]`.
        top: How many classes an image.

    Returns:
        For each image a list of `(WordNet id, name, probability)`, the most probable first.

    Raises:
        ValueError: The shape is another one.
    """
    return keras.applications.imagenet_utils.decode_predictions(preds, top=top)
