"""The teacher: whatever classifies images, with its own way to prepare them and a hash that tells it from others."""

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lambda_keras.applications import imagenet
from lambda_keras.text import first_line
from lambda_keras.weights import Preprocessor, WeightsError
from lambda_keras.zoo.errors import UserError, errors_of_weights
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.loading import check_backend
from lambda_keras.zoo.models.model_source import find

KERAS_APPLICATIONS = "keras.applications:"
# What `lambda-export saved-model` writes.
_GRAPH, _DESCRIPTION, _CLASSES, _SIGNATURE = "saved_model.pb", "model.json", "assets/labels.txt", "classify_uint8"


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A classifier of images that labels those of others.

    Attributes:
        name: What it is called.
        sha256: Hash of its weights, or of its files.
        class_names: The name of each class.
        preprocessor: The `lambda_keras.weights.Preprocessor` by which its images are decoded, resized and cropped.
        classify: Function of uint8 `[batch, image_size, image_size, channels]` to probabilities `[batch, classes]`.
    """

    name: str
    sha256: str
    class_names: tuple[str, ...]
    preprocessor: Preprocessor
    classify: Callable[[np.ndarray], Any]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Classifies a batch of images.

        Args:
            images: uint8 `[batch, image_size, image_size, channels]`.

        Returns:
            float32 `[batch, classes]`, an array.

        Raises:
            UserError: A probability is not finite.
        """
        probabilities = np.asarray(self.classify(images), "float32")
        if not np.isfinite(probabilities).all():
            raise UserError(f"{self.name} returns probabilities that are not finite; take another teacher")
        return probabilities


def find_teacher(source: str, weights: str | None = None) -> Teacher:
    """Loads a teacher.

    Args:
        source: What `lambda_keras.zoo.models.model_source.find` takes; a folder that `lambda-export saved-model` wrote,
            or a version in it; or `keras.applications:` and a name of `keras.applications`, such as
            `keras.applications:EfficientNetB0`.
        weights: Of a registered model as for `lambda_keras.zoo.models.model_source.find`; of `keras.applications` a
            file of weights for ImageNet's classes, if not Keras' own.

    Returns:
        The `Teacher`.

    Raises:
        UserError: There is no such model, it is damaged, or it is not known how it wants its images.
    """
    if source.startswith(KERAS_APPLICATIONS):
        return _of_keras_applications(source, weights)
    folder = _saved_model_folder(Path(source))
    if folder is None:
        return _of_zoo(source, weights)
    if weights is not None:
        raise UserError(f"--weights is for the name of a model; {source} has weights of its own")
    return _of_saved_model(folder)


def _of_zoo(source, weights):
    classifier = Classifier(find(source, weights))
    record = classifier.record
    return Teacher(
        classifier.name,
        _hash_of_weights(classifier.model),
        record.class_names,
        record.preprocessor,
        classifier.probabilities,
    )


def _of_keras_applications(source, weights):
    check_backend()
    name = source.removeprefix(KERAS_APPLICATIONS)
    modules = [module for _, module in inspect.getmembers(keras.applications, inspect.ismodule)]
    module = next((module for module in modules if inspect.isfunction(getattr(module, name, None))), None)
    if module is None or not name[:1].isupper():
        names = sorted(key for key, value in vars(keras.applications).items() if inspect.isfunction(value))
        raise UserError(f"there is no model {name} in keras.applications; its models are {', '.join(names)}")
    try:
        model = getattr(module, name)(weights=weights or "imagenet")
    # Keras downloads the weights, and raises what the network or the file raises.
    except Exception as error:
        raise UserError(f"cannot load {source} with {weights or 'its weights'}: {first_line(error)}") from error
    with errors_of_weights():
        class_names = tuple(identifier for identifier, _ in imagenet.class_names())

    @tf.function
    def classify(images):
        return model(module.preprocess_input(tf.cast(images, tf.float32)), training=False)

    # Keras says of them only their size. The central crop is that of their published accuracies.
    preprocessor = Preprocessor.none(model.input_shape[1])
    return Teacher(source, _hash_of_weights(model), class_names, preprocessor, classify)


def _saved_model_folder(path):
    """The folder with the graph: this one, or the newest version in it; `None` where it is no SavedModel."""
    if (path / _GRAPH).is_file():
        return path
    if not path.is_dir():
        return None
    versions = [version for version in path.iterdir() if version.name.isdecimal() and (version / _GRAPH).is_file()]
    return max(versions, key=lambda version: int(version.name), default=None)


def _of_saved_model(folder):
    refused = f"{folder} is no SavedModel of `lambda-export saved-model` that prepares images itself"
    try:
        values = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))["preprocessing"]
        values.pop("channels")
        preprocessor = Preprocessor(**values)
        class_names = tuple((folder / _CLASSES).read_text(encoding="utf-8").split("\n")[:-1])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, WeightsError) as error:
        raise UserError(f"{refused} ({first_line(error)}); export the model with its record") from error
    try:
        loaded = tf.saved_model.load(str(folder))
        signature = loaded.signatures[_SIGNATURE]
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise UserError(f"{refused} ({first_line(error)}); export the model again") from error

    def classify(images):
        # The signature lives as long as what it was loaded with.
        return loaded.signatures[_SIGNATURE](images=tf.constant(images))["probabilities"]

    classes = signature.structured_outputs["probabilities"].shape[-1]
    if classes != len(class_names):
        raise UserError(f"{folder} has {classes} classes and names of {len(class_names)}; export the model again")
    return Teacher(str(folder), _hash_of_files(folder), class_names, preprocessor, classify)


def _hash_of_weights(model):
    return _sha256(
        part
        for variable in model.weights
        for array in [keras.ops.convert_to_numpy(variable)]
        for part in (f"{array.dtype}{array.shape}".encode(), array.tobytes())
    )


def _hash_of_files(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return _sha256(part for path in files for part in (str(path.relative_to(folder)).encode(), path.read_bytes()))


def _sha256(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode() + part)
    return digest.hexdigest()
