"""What a TFLite file says of its images and classes, for programs that have only the file."""

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from lambda_keras.export.labels import LABELS, labels_text
from lambda_keras.export.tflite import standard_metadata
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.record import Record

BUFFER = "LAMBDA_KERAS_METADATA"
FILE_IDENTIFIER = b"TFL3"


def add_metadata(content: bytes, record: Record, normalises: bool = False) -> bytes:
    """Adds to a TFLite file how its model wants images, and what its classes are called.

    They are in it twice. A buffer named `LAMBDA_KERAS_METADATA` holds JSON: the model's name, `preprocessing`
    (size, crop and interpolation, then mean and std on the scale 0 to 1; of a file that does this itself
    `preprocessing_inside`) and `labels`. For other programs a buffer named `TFLITE_METADATA` has what
    `lambda_keras.export.tflite.standard_metadata` says. A zip archive at the end holds `labels.txt`, a line for each
    class: any unzip program reads it, and so do those that read the standard metadata.

    Args:
        content: The file.
        record: The model's record.
        normalises: Whether the file takes pictures of any size, in pixels from 0 to 255.

    Returns:
        The file with metadata; LiteRT runs it as before.
    """
    preprocessing = dataclasses.asdict(record.preprocessor)
    metadata = {
        "model": record.model,
        "preprocessing": None if normalises else preprocessing,
        **({"preprocessing_inside": preprocessing} if normalises else {}),
        "labels": record.class_names,
    }
    buffers = {
        BUFFER: json.dumps(metadata).encode(),
        standard_metadata.BUFFER: standard_metadata.standard_metadata(record, normalises),
    }
    return add_labels(_with_buffers(content, buffers), record.class_names)


def add_labels(content: bytes, class_names: Sequence[str]) -> bytes:
    """Adds to a TFLite file what its classes are called: a zip archive at its end, with `labels.txt`.

    Args:
        content: The file.
        class_names: The names, a line for each.
    """
    file = io.BytesIO(content)
    # Mode "a" writes behind what is there.
    with zipfile.ZipFile(file, "a") as archive:
        # A ZipInfo has a constant date: the same model gives the same file.
        archive.writestr(zipfile.ZipInfo(LABELS), labels_text(class_names))
    return file.getvalue()


def has_metadata(content: bytes) -> bool:
    """Whether a TFLite file has what `add_metadata` adds."""
    return _buffer(content) is not None


def read_preprocessing(path: Path) -> dict | None:
    """Reads how a TFLite file says that its images are prepared.

    Returns:
        `preprocessing` as `add_metadata` takes it; `None` where the file has no metadata.

    Raises:
        UserError: The metadata are damaged.
    """
    content = path.read_bytes()
    index = _buffer(content)
    if index is None:
        return None
    data = schema.Model.GetRootAs(content, 0).Buffers(index).DataAsNumpy()
    try:
        return json.loads(data.tobytes())["preprocessing"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # without data it is the number 0
        raise UserError(f"the metadata of {path} are damaged; export the model again") from error


def _buffer(content: bytes) -> int | None:
    """The number of the buffer with the metadata."""
    model = schema.Model.GetRootAs(content, 0)
    entries = [model.Metadata(index) for index in range(model.MetadataLength())]
    return next((entry.Buffer() for entry in entries if entry.Name() == BUFFER.encode()), None)


def _with_buffers(content: bytes, data: Mapping[str, bytes]) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for name, value in data.items():
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value, "uint8")
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
    builder = flatbuffers.Builder(len(content) + sum(map(len, data.values())))
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())
