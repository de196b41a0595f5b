"""`lambda-zoo weights convert`: the weights of a model, in another format."""

import dataclasses
from pathlib import Path

import lambda_keras as lk
from lambda_keras.atomic import replacing
from lambda_keras.keras_internals import weights_h5
from lambda_keras.weights import loader, reference
from lambda_keras.weights.assignment import variables_by_name
from lambda_keras.weights.formats import safetensors
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.errors import UserError, errors_of_weights, writing
from lambda_keras.zoo.models import model_source

# More than any weights have: a model of a number with more digits does not fit into memory.
MOST_CLASSES = 1_000_000
MOST_CHANNELS = 1024

EXPECTED = "OUT must end in .safetensors, .weights.h5 or .keras, or be a folder, whose name has no ending"


def convert(
    model: str,
    source: str,
    out: str | Path,
    classes: int | None = None,
    image_size: int | None = None,
    channels: int = 3,
    to_timm: bool = False,
    overwrite: bool = False,
) -> None:
    """Loads weights, all of them exactly, and writes them as the name to write says.

    Args:
        model: Name of a registered model.
        source: The weights, as `lambda_keras.load_weights` takes them.
        out: A `.safetensors`, `.weights.h5` or `.keras` file, or a folder, as `lambda_keras.save_pretrained` writes it.
        classes: Number of classes, by default the model's.
        image_size: Side of the images in pixels, by default the model's.
        channels: Channels of the images.
        to_timm: Whether to write timm's names, to a `.safetensors` file.
        overwrite: Whether to replace what is there.

    Raises:
        UserError: The weights are missing, damaged or of another model, or `out` exists or cannot be written.
    """
    out = Path(out)
    with errors_of_weights():
        found = reference.parse(source, model)
    write = lk.export_to_timm if to_timm else _writer(out, found)
    if to_timm and out.suffix != ".safetensors":
        raise UserError(f"--to timm writes a .safetensors file, got {out}")
    if out.exists() and not overwrite:
        raise UserError(f"{out} exists; --overwrite replaces it")
    for option, value, most in (("classes", classes, MOST_CLASSES), ("channels", channels, MOST_CHANNELS)):
        if value is not None and value > most:
            raise UserError(f"--{option} must be at most {most:,}, got {value}")
    if out.is_dir() and any(out.iterdir()) and not reference.Folder(out).is_shared:
        raise UserError(f"{out} is no folder of save_pretrained, so --overwrite does not replace it; give another name")
    try:
        size = image_size or lk.applications.get_config(model).image_size
        network = lk.create_model(model, input_shape=(size, size, channels), classes=classes)
    except ValueError as error:
        raise UserError(error) from error
    with errors_of_weights():
        report = loader.fill(network, found)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with errors_of_weights():
            write(network, out)
    say(f"wrote {out}: {len(report.loaded)} variables of {report.source}")


def _writer(out, found):
    """The function from a model and a path that writes what the path's ending says, of the weights found."""
    if out.suffix == ".safetensors":
        return _write_safetensors
    if out.name.endswith(".weights.h5"):
        return _write_h5
    if out.suffix == ".keras":
        return _write_keras
    if not out.suffix:
        return lambda network, folder: _write_folder(network, folder, *_preprocessing(found))
    raise UserError(f"{EXPECTED}; got {out}")


def _write_safetensors(network, path):
    tensors = {name: variable.numpy() for name, variable in variables_by_name(network).items()}
    safetensors.write_safetensors(tensors, path, {"format": "lambda_keras"})


def _write_h5(network, path):
    with replacing(path) as partial:
        partial.write_bytes(weights_h5(network))


def _write_keras(network, path):
    with replacing(path) as partial:
        network.save(partial)


def _write_folder(network, folder, preprocessor, class_names):
    if preprocessor:
        preprocessor = dataclasses.replace(preprocessor, image_size=network.input_shape[1])
    lk.save_pretrained(network, folder, preprocessor, class_names)


def _preprocessing(found):
    """The `Preprocessor` and the class names that go with weights; for a plain file `(None, None)`."""
    origin = model_source.origin(found)
    return origin.preprocessing() if origin else (None, None)
