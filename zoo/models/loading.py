"""Load a model from a `.keras` file, with an error that a user understands where that fails."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras

import lambda_keras  # noqa: F401  (registers its layers, so that Keras finds them in the file)
from lambda_keras.keras_internals import flat, has_graph, producer
from lambda_keras.text import first_line
from lambda_keras.weights.finite import not_finite
from lambda_keras.zoo.errors import UserError

EXPECTED = "a model is a .keras file, written by model.save(...)"
# Of Keras' message: it may hold the whole configuration.
LONGEST_REASON = 200


def load_classifier(path: Path) -> keras.Model:
    """Loads an image classifier, in safe mode.

    Args:
        path: A file written by `model.save(path)`. Its layers are Keras' or lambda_keras'.

    Returns:
        A model that takes images [batch, height, width, channels] and returns probabilities [batch, classes].

    Raises:
        UserError: As for `load_model`, or it is not an image classifier that ends in softmax.
    """
    return load_model(path, check_classifier)


def load_model(path: Path, check: Callable[[keras.Model, Path], None]) -> keras.Model:
    """Loads a model, in safe mode.

    Args:
        path: A file written by `model.save(path)`. Its layers are Keras' or lambda_keras'.
        check: Function of the model and the path that raises a `UserError` where it is not such a model as is wanted.

    Returns:
        The model.

    Raises:
        UserError: There is no such file, it is not a Keras model or damaged, it needs code that is not here, it is not
            what is wanted, or its weights are not finite.
    """
    check_backend()
    _check_file(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)[:LONGEST_REASON]}; save the model again") from error
    except MemoryError:
        raise
    # What Keras raises where the configuration is damaged, or not that of the layers and weights in the file, is of a
    # dozen types.
    except Exception as error:
        raise UserError(f"{path} {_unknown_code(str(error)) or _unreadable(error)}") from error
    check(model, path)
    _check_finite(model, path)
    return model


def check_backend() -> None:
    """Raises a `UserError` unless Keras runs on TensorFlow, whose functions evaluation and export make of a model."""
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"this command needs Keras on TensorFlow, got {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow (it loads a .keras file of any backend)"
        )


def _check_file(path: Path) -> None:
    if not path.exists():
        raise UserError(f"no such file: {path}; {EXPECTED}")
    if not (path.is_file() and path.suffix == ".keras" and zipfile.is_zipfile(path)):
        raise UserError(f"{path} is not a Keras model file; {EXPECTED}")
    try:
        with zipfile.ZipFile(path) as archive:
            missing = {"config.json", "model.weights.h5"}.difference(archive.namelist())
    # Of a damaged directory, zipfile raises what it happens to stumble over.
    except Exception as error:
        raise UserError(f"{path} is damaged: {first_line(error)[:LONGEST_REASON]}; save the model again") from error
    if missing:
        raise UserError(f"{path} is not a Keras model file, it lacks {', '.join(sorted(missing))}; {EXPECTED}")


def _check_finite(model: keras.Model, path: Path) -> None:
    if bad := not_finite((variable.path, variable.numpy()) for variable in model.weights):
        raise UserError(
            f"{path} has weights that are infinite or not a number in {len(bad)} of {len(model.weights)} tensors, the "
            f"first is {bad[0]}: its training diverged; take an earlier model, or train it again"
        )


def _unknown_code(message: str) -> str | None:
    """Says which code Keras misses or refuses to run; None if its message is about something else."""
    if "deserialization of a `Lambda`" in message:
        return "holds a keras.layers.Lambda, whose Python code is not run; use a registered layer instead"
    unknown = re.search(r"Could not locate (?:class|function) '([^']+)'", message)
    if unknown:
        return f"uses {unknown[1]!r}; allowed are the layers of Keras and of lambda_keras, replace it with these"
    return None


def _unreadable(error: Exception) -> str:
    """Says what Keras stumbled over, in its own first words."""
    reason = first_line(error)[:LONGEST_REASON]
    return f"cannot be loaded ({type(error).__name__}: {reason}); {EXPECTED}, save the model again"


def check_classifier(model: keras.Model, name: Path | str) -> None:
    """Checks that a model classifies images.

    Args:
        model: The model.
        name: What to call it in messages.

    Raises:
        UserError: It does not take one image tensor, or does not return probabilities.
    """
    inputs, outputs = [], []
    if has_graph(model):
        inputs, outputs = ([tuple(tensor.shape) for tensor in tensors] for tensors in (model.inputs, model.outputs))
    if [len(shape) for shape in inputs] != [4] or [len(shape) for shape in outputs] != [2]:
        raise UserError(
            f"{name} is not an image classifier: expected one input [batch, height, width, channels] and "
            f"one output [batch, classes], got inputs {inputs} and outputs {outputs}"
        )
    # The last operation, also where it is inside a model that is the last layer.
    top = producer(flat(model).outputs[0])
    if has_graph(top):
        raise UserError(
            f"{name} ends in {top.name!r}, a model that is called in training or shares names of layers with others, "
            "so that it is not looked into; build it with layers that have names of their own"
        )
    activation = getattr(top, "activation", None)
    if activation is not keras.activations.softmax and not isinstance(top, keras.layers.Softmax):
        raise UserError(
            f"{name} does not end in softmax, its last layer {top.name!r} has activation "
            f"{getattr(activation, '__name__', None)}; build it with classifier_activation='softmax'"
        )
