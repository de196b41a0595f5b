"""ImageNet: the statistics of its images, and the names of its classes."""

import functools
import json

import keras
import numpy as np

from lambda_keras.weights.fetch import fetch_from_urls

CLASSES = 1000
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# The file of `keras.applications`, with the hash that is checked there.
CLASS_INDEX = "imagenet_class_index.json"
CLASS_INDEX_URL = f"https://storage.googleapis.com/download.tensorflow.org/data/{CLASS_INDEX}"
CLASS_INDEX_MD5 = "c2c37ea517e94d9795004a39431a14cb"


def decode_predictions(preds: np.ndarray, top: int = 5) -> list[list[tuple[str, str, float]]]:
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


@functools.cache
def class_names() -> tuple[tuple[str, str], ...]:
    """ImageNet's 1000 classes in the order of the labels.

    They come from the file of `keras.applications`, which is downloaded once to this package's cache.

    Returns:
        A tuple of pairs `(WordNet id, name)`.

    Raises:
        WeightsError: The file is not in the cache and not available.

    Example:
        >>> class_names()[0]
        ('n01440764', 'tench')
    """
    path = fetch_from_urls("imagenet_class_index", CLASS_INDEX, (CLASS_INDEX_URL,), md5=CLASS_INDEX_MD5)
    index = json.loads(path.read_text(encoding="utf-8"))
    return tuple(tuple(index[str(label)]) for label in range(len(index)))
