"""How a model wants its images: one scheme for all, with the values that go with its weights."""

import os
import typing
from collections.abc import Sequence

import numpy as np
from keras import ops

from lambda_keras.applications import registry
from lambda_keras.applications.imagenet import IMAGENET_MEAN, IMAGENET_STD
from lambda_keras.weights import catalog, pretrained, reference
from lambda_keras.weights.preprocessor import Preprocessor
from lambda_keras.weights.reference import Folder, Hub, Tag


def preprocess_input(
    x: typing.Any,
    mean: Sequence[float] | np.ndarray | float | None = None,
    std: Sequence[float] | np.ndarray | float | None = None,
    model: str | os.PathLike | None = None,
) -> typing.Any:
    """Normalises images: `(x / 255 - mean) / std` for each channel.

    Args:
        x: Images with values from 0 to 255, `[..., channels]`, uint8 or float, array or tensor.
        mean: Mean of each channel on the scale 0 to 1; by default ImageNet's.
        std: Standard deviation of each channel on the same scale; by default ImageNet's.
        model: Instead of both: a model whose record has them, see `lambda_keras.applications.preprocessor_of`, such as
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
        record = preprocessor_of(model)
        mean, std = record.mean, record.std
    means = np.asarray(IMAGENET_MEAN if mean is None else mean, "float32")
    deviations = np.asarray(IMAGENET_STD if std is None else std, "float32")
    channels = x.shape[-1]
    if means.shape != deviations.shape or means.shape not in ((channels,), (1,), ()):
        raise ValueError(
            f"`mean` and `std` need one value for each of the {channels} channels. Received: mean={means.tolist()}, "
            f"std={deviations.tolist()}"
        )
    if isinstance(x, np.ndarray):
        return (x.astype("float32") / 255 - means) / deviations
    return (ops.cast(x, "float32") / 255 - means) / deviations


def preprocessor_of(source: str | os.PathLike) -> Preprocessor:
    """How a model wants its images.

    Args:
        source: A registered model with a tag, such as `"lambda_resnet50ts.a1h_in1k"`: what goes with those weights; or
            without, `"lambda_resnet50ts"`: what goes with its weights of ImageNet, or, where none were published,
            ImageNet's normalisation at the model's default size. Or a folder of `save_pretrained`, or
            `"hf://owner/repository"`.

    Returns:
        A `Preprocessor`.

    Raises:
        FileNotFoundError: There is no such folder.
        WeightsError: There are no such weights, or the folder is damaged.
        ValueError: There is no such model.
    """
    match reference.parse(source):
        case Tag(model, None):
            image_size = registry.get_config(model).image_size
            rows = [catalog.find(model, tag) for tag in catalog.tags(model)]
            # Weights of other datasets say nothing of a model that is named without them.
            preprocessors = [row.preprocessor for row in rows if row.dataset == "imagenet"]
            return preprocessors[0] if preprocessors else Preprocessor(image_size)
        case Tag(model, tag):
            registry.get_config(model)
            return catalog.find(model, tag).preprocessor
        case Hub() | Folder() as shared:
            return pretrained.read_preprocessor(shared)[0]
        case other:
            return pretrained.read_preprocessor(Folder(other.path))[0]
