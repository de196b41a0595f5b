"""Preprocessing, one scheme for all models, and the names of ImageNet's classes."""

import functools
import json
import types

import keras
import numpy as np
from keras import ops

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# As `lambda_keras.weights.fetch.fetch` takes it: the file of `keras.applications`, with the hash that is checked there.
CLASS_INDEX = types.SimpleNamespace(
    name="imagenet_class_index",
    file="imagenet_class_index.json",
    is_in_package=False,
    repository=None,
    urls=("https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",),
    sha256=None,
    md5="c2c37ea517e94d9795004a39431a14cb",
)


def preprocess_input(x, mean=None, std=None, model=None):
    """Normalises images: `(x / 255 - mean) / std` for each channel.

    Args:
        x: Images with values from 0 to 255, `[..., channels]`, uint8 or float, array or tensor.
        mean: Mean of each channel on the scale 0 to 1; by default ImageNet's.
        std: Standard deviation of each channel on the same scale; by default ImageNet's.
        model: Instead of both: a model whose record has them, as of `lambda_keras.weights.preprocessor_of`, such as
            `"lambda_resnet50ts"`, `"lambda_resnet50ts.a1h_in1k"`, a folder of `save_pretrained` or `"hf://…"`.

    Returns:
        float32 of the same shape and kind.

    Raises:
        ValueError: The channels do not match, or there is no record of the model.

    Example:
        >>> x = lk.preprocess_input(np.full((1, 224, 224, 3), 128, "uint8"))
    """
    if model is not None:
        if mean is not None or std is not None:
            raise ValueError(
                f"`model` excludes `mean` and `std`: its record has them. Received: model={model!r}, mean={mean}, "
                f"std={std}"
            )
        # Not above: it imports this package.
        from lambda_keras.weights import preprocessor_of

        record = preprocessor_of(model)
        mean, std = record.mean, record.std
    mean = IMAGENET_MEAN if mean is None else mean
    std = IMAGENET_STD if std is None else std
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


@functools.cache
def class_names():
    """ImageNet's 1000 classes in the order of the labels.

    They come from the file of `keras.applications`, which is downloaded once to this package's cache.

    Returns:
        A tuple of pairs `(WordNet id, name)`.

    Raises:
        WeightsError: The file is not in the cache and cannot be had.

    Example:
        >>> class_names()[0]
        ('n01440764', 'tench')
    """
    # Not above: it imports this package.
    from lambda_keras.weights.fetch import fetch

    index = json.loads(fetch(CLASS_INDEX).read_text(encoding="utf-8"))
    return tuple(tuple(index[str(label)]) for label in range(len(index)))
