"""Models to share: a folder, or a repository of the Hub, from which a model comes back without its author's code."""

import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

import keras

from lambda_keras.atomic import replacing
from lambda_keras.keras_internals import shared_once
from lambda_keras.text import is_line
from lambda_keras.version import __version__
from lambda_keras.weights import fetch, model_card, reference
from lambda_keras.weights.assignment import assign, variables_by_name
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.finite import not_finite
from lambda_keras.weights.formats import open_file
from lambda_keras.weights.formats.safetensors import write_safetensors
from lambda_keras.weights.preprocessor import Preprocessor, remember, remembered
from lambda_keras.weights.reference import CONFIG, Folder, Hub

# Also the name of timm's file on the Hub.
WEIGHTS = "model.safetensors"
PREPROCESSOR = "preprocessor.json"
CARD = "README.md"
FORMAT = 1


def save_pretrained(
    model: keras.Model,
    folder: str | os.PathLike,
    preprocessor: Preprocessor | None = None,
    class_names: Sequence[str] | None = None,
    description: str = "",
    license: str | None = None,
) -> None:
    """Writes a model to a folder that can be shared as it is, such as by `hf upload`.

    The folder gets `config.json` (the model's layers, the names of its classes and the hashes of the other files),
    `model.safetensors`, `preprocessor.json` and a model card, `README.md`.

    Args:
        model: A functional `keras.Model` of layers of Keras and of this package.
        folder: The folder; made if it is missing. A model that it holds is replaced.
        preprocessor: A `lambda_keras.weights.Preprocessor`; by default that of the model's weights, where this process
            loaded published or shared ones, or ImageNet's for a model of `create_model`, at the size of the model's
            input. Of any other model it must be given: `Preprocessor.none(image_size)` says that it normalises its
            images itself.
        class_names: The name of each class, in order.
        description: A text for the model card: data, training, figures, limits.
        license: Licence of the weights, as an identifier of the Hub such as `"apache-2.0"`.

    Raises:
        WeightsError: The model has layers of other packages or values that are not finite, or an argument does not fit
            it.

    Example:
        >>> lk.save_pretrained(model, "flowers", class_names=["daisy", "rose"], license="apache-2.0")
        >>> same = lk.from_pretrained("flowers")
    """
    folder = pathlib.Path(folder)
    # The same layers, not compiled: how it was trained may need the author's own functions.
    # A Sequential has its tensors in lists alone.
    is_sequential = isinstance(model, keras.Sequential)
    tensors = (model.inputs[0], model.outputs[0]) if is_sequential else (model.input, model.output)
    layers = keras.saving.serialize_keras_object(keras.Model(*tensors, name=model.name))
    _check_origin(layers, model.name)
    preprocessor = preprocessor or _known_preprocessor(model)
    if class_names is not None and len(class_names) != model.output_shape[-1]:
        raise WeightsError(
            f"`class_names` needs a name for each of the {model.output_shape[-1]} outputs. Received: {len(class_names)}"
        )
    if broken := [name for name in class_names or () if not is_line(str(name))]:
        raise WeightsError(
            "The name of a class is one line without control characters, so that lists and terminals show it as it is. "
            f"Received: {broken[0]!r}"
        )
    if len(preprocessor.mean) != model.input_shape[-1]:
        raise WeightsError(
            f"`preprocessor` needs a mean and a standard deviation for each of the {model.input_shape[-1]} channels. "
            f"Received: mean={preprocessor.mean}"
        )
    arrays = {name: variable.numpy() for name, variable in variables_by_name(model).items()}
    if bad := not_finite(arrays.items()):
        raise WeightsError(f"{model.name} has values in {bad[0]} that are infinite or not a number: it diverged.")
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(arrays, folder / WEIGHTS, {"format": "lambda_keras"})
    _write(folder / PREPROCESSOR, preprocessor.to_json())
    config = {
        "library": "lambda_keras",
        "library_version": __version__,
        "format": FORMAT,
        "class_names": None if class_names is None else list(class_names),
        "files": {name: _describe(folder / name) for name in (WEIGHTS, PREPROCESSOR)},
        "model": layers,
    }
    _write(folder / CARD, model_card.render(model, preprocessor, class_names, description, license))
    # Last, since it holds the hashes: a folder whose writing was interrupted does not load.
    _write(folder / CONFIG, json.dumps(config, indent=1) + "\n")


def from_pretrained(source: str | os.PathLike) -> keras.Model:
    """Makes the model that `save_pretrained` wrote, compiled for nothing.

    Args:
        source: The folder, or `hf://owner/repository[@revision]`.

    Returns:
        A functional `keras.Model`.

    Raises:
        FileNotFoundError: There is no such folder.
        WeightsError: It is damaged, cannot be fetched, or has layers of other packages.
    """
    place = reference.parse_shared(source)
    get = _getter(place)
    config = _read_config(get, source)
    _check_origin(config["model"], source)
    try:
        with shared_once():
            model = keras.saving.deserialize_keras_object(config["model"], safe_mode=True)
    # Whatever Keras stumbles over: the text comes from the network.
    except Exception as error:
        raise WeightsError(f"{source} has a {CONFIG} from which Keras makes no model: {error}") from error
    if not isinstance(model, keras.Model):
        raise WeightsError(f"{source} has a {CONFIG} from which Keras makes {type(model).__name__}, not a model.")
    path = _verified(get, config, WEIGHTS, source)
    assign(model, open_file.read_tensors(path, model), str(source))
    if isinstance(place, Folder):
        remember(model, read_preprocessor(place)[0])
    return model


def read_preprocessor(place: Hub | Folder) -> tuple[Preprocessor, list[str] | None]:
    """The `Preprocessor` of a shared model, and the names of its classes or `None`.

    Args:
        place: Where the model is, as `lambda_keras.weights.reference.parse_shared` returns it.

    Raises:
        FileNotFoundError: There is no such folder.
        WeightsError: It is damaged or cannot be fetched.
    """
    get = _getter(place)
    config = _read_config(get, place)
    path = _verified(get, config, PREPROCESSOR, place)
    return Preprocessor.from_json(path.read_text(encoding="utf-8"), path), config["class_names"]


def weights_file(place: Hub | Folder) -> pathlib.Path:
    """The verified weights of a shared model; see `read_preprocessor`."""
    get = _getter(place)
    return _verified(get, _read_config(get, place), WEIGHTS, place)


def _getter(place):
    """A function from the name of a file to its path: in a folder, or fetched from the Hub."""
    if isinstance(place, Hub):
        return lambda name: fetch.fetch_from_hub(place.repository, name, place.revision)

    def get(name):
        if not (place.path / name).is_file():
            raise FileNotFoundError(f"No {name} in '{place}': give a folder that `save_pretrained` wrote.")
        return place.path / name

    return get


def _read_config(get, source):
    path = get(CONFIG)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        library, version = config["library"], config["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{source} has a {CONFIG} that `save_pretrained` did not write, or that is damaged. Weights of timm load "
            "into a model of `create_model`, by `lambda_keras.load_weights`."
        ) from error
    needed = {"model", "files", "class_names"}
    if (library, version) != ("lambda_keras", FORMAT) or not needed <= set(config):
        raise WeightsError(
            f"{source} has a {CONFIG} of library {library!r}, format {version!r}; this version reads 'lambda_keras', "
            f"format {FORMAT}"
        )
    names, files = config["class_names"], config["files"]
    are_names = names is None or (isinstance(names, list) and all(isinstance(name, str) for name in names))
    if not (are_names and isinstance(files, dict) and isinstance(config["model"], dict)):
        raise WeightsError(
            f"{source} has a {CONFIG} that is damaged: expected `class_names` as a list of strings or null, `files` "
            "and `model` as objects. Get it again."
        )
    return config


def _verified(get, config, name, source):
    path = get(name)
    described, found = config["files"].get(name), _describe(path)
    if found != described:
        raise WeightsError(
            f"{name} of {source} is not the file that its {CONFIG} describes: expected {described}, found {found}. Get "
            "both again."
        )
    return path


def _describe(path):
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def _check_origin(config, source):
    """Refuses layers, activations and other objects of a model's config that are neither Keras' nor ours."""
    if isinstance(config, dict):
        module = config.get("module")
        if "class_name" in config and module is not None and str(module).split(".")[0] not in ("keras", "lambda_keras"):
            raise WeightsError(
                f"{source} uses {module}.{config['class_name']}, which is neither of Keras nor of lambda_keras: "
                "loading the model would need its code. Replace it."
            )
        # A registered name comes without a module.
        package, separator, _ = str(config.get("registered_name") or "").partition(">")
        if separator and package != "lambda_keras":
            raise WeightsError(
                f"{source} uses {config['registered_name']}, which is registered by neither Keras nor lambda_keras: "
                "loading the model would need its code. Replace it."
            )
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for part in config:
            _check_origin(part, source)


def _known_preprocessor(model):
    preprocessor = remembered(model)
    if preprocessor is None:
        raise WeightsError(
            f"`preprocessor` is needed for {model.name}, of which it is not known how it wants its images: give a "
            "`lambda_keras.weights.Preprocessor`, or `Preprocessor.none(image_size)` if it normalises them itself. "
            f"Received: None, for inputs {model.input_shape}"
        )
    return preprocessor


def _write(path, text):
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
