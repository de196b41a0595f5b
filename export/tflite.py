"""Write a model as a TFLite file of built-in operations, for phones, browsers and small devices."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from export.scratch import scratch_folder
from export.signatures import SERVING_DEFAULT, ServedClassifier
from zoo.errors import UserError


def export_tflite(model: keras.Model, path: Path) -> Path:
    """Writes `model` as a float32 TFLite file.

    It has one signature, `serving_default`, and takes any batch size. Every operation is built in: it runs
    wherever TFLite does, without TensorFlow's own kernels (Flex).

    Args:
        model: A classifier, as `zoo.load.load_classifier` returns it.
        path: The file to write; its name ends in .tflite. An older one is replaced once the new one is whole.

    Returns:
        `path`.

    Raises:
        UserError: The name does not end in .tflite, the file cannot be written, the model does not compute in
            float32, or it has an operation that is not built in.

    Example:
        >>> model = load_classifier(Path("runs/digits/model.keras"))  # doctest: +SKIP
        >>> export_tflite(model, Path("runs/digits/model.tflite"))  # doctest: +SKIP
        PosixPath('runs/digits/model.tflite')
    """
    if path.suffix != ".tflite":
        raise UserError(f"{path}: the name of a TFLite file must end in .tflite")
    reduced = sorted({layer.compute_dtype for layer in model.layers} - {"float32"})
    if reduced:
        raise UserError(
            f"the model computes in {', '.join(reduced)}, the built-in operations in float32; "
            "build it with the float32 policy, load its weights and save it again"
        )
    with scratch_folder(path.parent) as scratch:
        ServedClassifier(model).save(scratch / "saved_model")
        content = _convert(scratch / "saved_model", log=scratch / "converter.log")
        try:
            (scratch / path.name).write_bytes(content)
            os.replace(scratch / path.name, path)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from error
    return path


def _convert(saved_model: Path, log: Path) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=[SERVING_DEFAULT])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        with _standard_error_to(log):
            return converter.convert()
    except ConverterError as error:
        refused = re.findall(r"^(?:Custom|Flex|TF Select) ops: (.+)$", str(error), re.MULTILINE)
        if not refused:
            raise
        raise UserError(
            f"TFLite has no built-in operation for {', '.join(refused)}; replace the layers that use it"
        ) from error


@contextlib.contextmanager
def _standard_error_to(path: Path) -> Iterator[None]:
    """Sends what the converter's C++ code prints to a file; what matters of it is in its exception too."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with path.open("wb") as file:
            os.dup2(file.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
