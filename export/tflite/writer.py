"""Write a model as a TFLite file of built-in operations, for phones, browsers and small devices."""

import operator
import os
import re
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from lambda_keras.export.files import scratch_folder
from lambda_keras.export.labels import check_labels
from lambda_keras.export.standard_error import standard_error_to
from lambda_keras.export.tflite.calibration import Calibration
from lambda_keras.export.tflite.clipping import measure_clipping, refuse_clipping
from lambda_keras.export.tflite.constant_folding import save_folded
from lambda_keras.export.tflite.metadata import add_metadata
from lambda_keras.export.tflite.pictures import PictureClassifier
from lambda_keras.export.tflite.quantization import (
    CALIBRATED,
    DYNAMIC,
    FLOAT16,
    FLOAT_OPERATIONS,
    INT8,
    INT8_FLOAT_LAMBDAS,
    NONE,
)
from lambda_keras.export.tflite.signatures import SERVING_DEFAULT, ServedClassifier
from lambda_keras.keras_internals import sublayers
from lambda_keras.wildcards import without_wildcards
from lambda_keras.zoo.data.limits import LARGEST_BATCH
from lambda_keras.zoo.errors import UserError, writing
from lambda_keras.zoo.models.record import Record

_CONVERT = operator.methodcaller("convert")


def export_tflite(
    model: keras.Model,
    path: Path,
    quantization: str = NONE,
    calibration: Calibration | None = None,
    batch_size: int | None = None,
    record: Record | None = None,
    any_size: bool = False,
) -> Path:
    """Writes `model` as a TFLite file.

    It has one signature, `serving_default`. Every operation is built in: it runs wherever TFLite does, without
    TensorFlow's own kernels (Flex). Of an int8 model it prints what the calibration's ranges clip.

    Args:
        model: A classifier, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        path: The file to write; its name ends in .tflite. An older one is replaced once the new one is whole.
        quantization: One of `lambda_keras.export.tflite.quantization.KINDS`. `none` is float32; `float16` halves the
            weights, `dynamic` has them in int8, and both take and return float32; `int8` computes in int8 from its
            input to its output, `int8-float-io` does so between a float32 input and a float32 output, and
            `int8-float-lambdas` leaves in float32 what is between the projections of lambda layers and their outputs.
        calibration: The images that set the ranges of the kinds of int8.
        batch_size: How many images a batch must have; any number by default.
        record: The model's record, for the file's metadata; without one it has none.
        any_size: Whether it takes one picture of any size and makes it ready itself, see
            `lambda_keras.export.tflite.pictures.PictureClassifier`.

    Returns:
        `path`.

    Raises:
        UserError: The name does not end in .tflite, the file cannot be written, the model does not compute in
            float32, it has an operation that is not built in, calibration is missing or not wanted, or it covers
            too little of what the model sees, or the name of a class has a line break.

    Example:
        >>> model = load_classifier(Path("runs/digits/model.keras"))  # doctest: +SKIP
        >>> export_tflite(model, Path("runs/digits/model.tflite"))  # doctest: +SKIP
        PosixPath('runs/digits/model.tflite')
    """
    _check(model, path, quantization, calibration, batch_size)
    if record:
        check_labels(record.class_names)
    served: ServedClassifier | PictureClassifier
    if any_size:
        served, batch_size = PictureClassifier(model, _check_any_size(quantization, batch_size, record)), 1
    else:
        served = ServedClassifier(model, batch_size)
    if _has_loop(served):
        _check_loop(quantization, batch_size)
    # The SavedModel in between has variables, which TensorFlow does not find where a path has wildcards.
    with scratch_folder(path.parent) as place, without_wildcards(place) as scratch:
        if quantization in (NONE, FLOAT16):
            signatures = {SERVING_DEFAULT: served.probabilities}
            tf.saved_model.save(served, str(scratch / "saved_model"), signatures=signatures)
        else:
            with standard_error_to(scratch / "folding.log"):
                save_folded(served.probabilities, scratch / "saved_model", convolves_pools=quantization in CALIBRATED)
        converter = _converter(scratch / "saved_model", quantization, calibration, batch_size)
        function = _convert_by_operation if quantization == INT8_FLOAT_LAMBDAS else _CONVERT
        content = convert(converter, scratch / "converter.log", function)
        if calibration:
            _check_clipping(content, model, calibration)
        if record:
            content = add_metadata(content, record, normalises=any_size)
        put(content, scratch, path)
    return path


def _check(model, path, quantization, calibration, batch_size):
    check_path(path)
    if quantization in CALIBRATED and calibration is None:
        raise UserError(f"--quantize {quantization} needs --calibration: images that show which values occur")
    if quantization not in CALIBRATED and calibration is not None:
        raise UserError(f"--calibration is for --quantize {', '.join(CALIBRATED)}, got {quantization}")
    if batch_size is not None and not 1 <= batch_size <= LARGEST_BATCH:
        raise UserError(f"--batch must be 1 to {LARGEST_BATCH:,}, got {batch_size}")
    check_float32(model)


def _check_any_size(quantization: str, batch_size: int | None, record: Record | None) -> Record:
    """Returns the record, which must be there."""
    if record is None:
        raise UserError("--any-size makes pictures ready as the model's record.json says, which is missing")
    if quantization in CALIBRATED:
        raise UserError(
            f"--any-size resizes in float32, got --quantize {quantization}; take {NONE}, {FLOAT16} or {DYNAMIC}"
        )
    if batch_size not in (None, 1):
        raise UserError(f"--any-size takes one picture at a time, got --batch {batch_size}; leave it out")
    return record


def check_path(path: Path) -> None:
    """Raises a `UserError` where a path does not end in .tflite."""
    if path.suffix != ".tflite":
        raise UserError(f"{path}: the name of a TFLite file must end in .tflite")


def check_float32(model: keras.Model) -> None:
    """Raises a `UserError` where a model computes in less than float32, as the operations of TFLite do not."""
    reduced = sorted({layer.compute_dtype for layer in sublayers(model)} - {"float32"})
    if reduced:
        raise UserError(
            f"the model computes in {', '.join(reduced)}, the built-in operations in float32; "
            "build it with the float32 policy, load its weights and save it again"
        )


def _has_loop(served):
    operations = served.probabilities.get_concrete_function().graph.get_operations()
    return any(operation.type.endswith("While") for operation in operations)


def _check_loop(quantization, batch_size):
    """Refuses what the converter makes of a loop: nothing, or a file that does not run."""
    loop = "the model has a loop (a lambda layer goes through the queries of a large map in chunks)"
    if quantization not in (NONE, FLOAT16):
        raise UserError(f"{loop}, which cannot be in int8, got --quantize {quantization}; take {FLOAT16}")
    if batch_size is None:
        raise UserError(f"{loop}, which TFLite takes for a known number of images only; give it with --batch")


def _converter(saved_model, quantization, calibration, batch_size):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=[SERVING_DEFAULT])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization != NONE:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if quantization in CALIBRATED:
        converter.representative_dataset = lambda: ({"images": batch} for batch in calibration.batches(batch_size or 1))
        floats = [tf.lite.OpsSet.TFLITE_BUILTINS] if quantization == INT8_FLOAT_LAMBDAS else []
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, *floats]
    if quantization == INT8:
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter


def _convert_by_operation(converter):
    """Converts to int8, but for `FLOAT_OPERATIONS`. TensorFlow's debugger of quantisation can leave some out."""
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(FLOAT_OPERATIONS)),
    )
    return debugger.get_nondebug_quantized_model()


def put(content: bytes, scratch: Path, path: Path) -> None:
    """Writes a file beside its place and moves it there once it is whole.

    Args:
        content: The file.
        scratch: A folder on the same disk.
        path: Where it goes.

    Raises:
        UserError: It cannot be written.
    """
    with writing(path):
        (scratch / path.name).write_bytes(content)
        os.replace(scratch / path.name, path)


def convert(
    converter: tf.lite.TFLiteConverter, log: Path, function: Callable[[tf.lite.TFLiteConverter], bytes] = _CONVERT
) -> bytes:
    """Converts, and says in a line where an operation is not built in.

    Args:
        converter: What converts.
        log: The file that gets what TensorFlow prints.
        function: Function of the converter that does it.

    Returns:
        The TFLite file.

    Raises:
        UserError: An operation is not built in.
    """
    try:
        with standard_error_to(log):
            return function(converter)
    except ConverterError as error:
        refused = re.findall(r"^(?:Custom|Flex|TF Select) ops: (.+)$", str(error), re.MULTILINE)
        if not refused:
            raise
        raise UserError(
            f"TFLite has no built-in operation for {', '.join(refused)}; replace the layers that use it"
        ) from error


def _check_clipping(content, model, calibration):
    clippings = measure_clipping(content, model, calibration)
    print(f"calibrated with {len(calibration.images)} images, checked with {len(calibration.check_images)} others")
    for clipping in clippings:
        print(clipping)
    refuse_clipping(clippings)
