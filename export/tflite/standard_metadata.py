"""`TFLITE_METADATA`: what MediaPipe, ML Kit and Android Studio read of a TFLite file.

The tables are those of mediapipe/tasks/metadata/metadata_schema.fbs in https://github.com/google-ai-edge/mediapipe, and
are written here by their numbers: `mediapipe`, the one maintained package that brings the schema's classes, needs
absl-py 2, and tf-models-official a package that takes absl-py 1 alone. The tests compare the bytes with those of its
classes.
"""

from collections.abc import Sequence

import flatbuffers

from lambda_keras.export.labels import LABELS
from lambda_keras.zoo.models.record import Record

BUFFER = "TFLITE_METADATA"
FILE_IDENTIFIER = b"M001"
# The parser of the first version of the schema knows all that is written here.
PARSER = "1.0.0"
# Members of the schema's enumerations and unions.
COLOUR_SPACES = {3: 1, 1: 2}  # RGB and grey by the number of channels; that of others is unknown, 0
TENSOR_AXIS_LABELS = 2
FEATURE_PROPERTIES, IMAGE_PROPERTIES = 1, 2
NORMALIZATION_OPTIONS = 1


def standard_metadata(record: Record, normalises: bool = False) -> bytes:
    """Makes the buffer of a classifier that returns probabilities.

    Args:
        record: The model's record. Images of 3 channels are in RGB, of 1 in grey.
        normalises: Whether the file takes pixels from 0 to 255 and normalises them itself.

    Returns:
        A flatbuffer: the model's name, the mean and the standard deviation to normalise pixels from 0 to 255 with, the
        range of what that gives, and that `labels.txt`, in the zip archive at the file's end, names the classes.
    """
    preprocessor = record.preprocessor
    channels = preprocessor.channels
    mean = [255 * value for value in preprocessor.mean]
    std = [255 * value for value in preprocessor.std]
    lowest, highest = [0.0] * channels, [255.0] * channels
    if not normalises:
        lowest, highest = ([(end - m) / s for m, s in zip(mean, std, strict=True)] for end in (0, 255))
    writer = _Writer()
    name = writer.text(record.model)
    image = _tensor(
        writer,
        "image",
        content=(IMAGE_PROPERTIES, lambda: writer.table(2, signed={0: COLOUR_SPACES.get(channels, 0)})),
        process_units=None if normalises else lambda: _normalization(writer, mean, std),
        stats=lambda: _stats(writer, lowest, highest),
    )
    images = writer.tables(image)
    probability = _tensor(
        writer,
        "probability",
        content=(FEATURE_PROPERTIES, lambda: writer.table(0)),
        stats=lambda: _stats(writer, [0.0], [1.0]),
        files=lambda: _labels(writer),
    )
    probabilities = writer.tables(probability)
    graphs = writer.tables(writer.table(10, offsets={2: images, 3: probabilities}))
    parser = writer.text(PARSER)
    return writer.finish(writer.table(8, offsets={0: name, 3: graphs, 7: parser}))


def _tensor(writer, name, content, stats, process_units=None, files=None):
    """A TensorMetadata. What is inside a table is written before it."""
    offsets = {0: writer.text(name)}
    kind, properties = content
    offsets[3] = writer.table(3, offsets={1: properties()}, unsigned={0: kind})
    if process_units:
        offsets[4] = writer.tables(process_units())
    offsets[5] = stats()
    if files:
        offsets[6] = writer.tables(files())
    return writer.table(7, offsets=offsets)


def _normalization(writer, mean, std):
    options = writer.table(2, offsets={0: writer.floats(mean), 1: writer.floats(std)})
    return writer.table(2, offsets={1: options}, unsigned={0: NORMALIZATION_OPTIONS})


def _stats(writer, lowest, highest):
    return writer.table(2, offsets={0: writer.floats(highest), 1: writer.floats(lowest)})


def _labels(writer):
    return writer.table(5, offsets={0: writer.text(LABELS)}, signed={2: TENSOR_AXIS_LABELS})


class _Writer:
    """Tables of a flatbuffer, from the inside to the outside; each method returns where it has put something."""

    def __init__(self):
        self._builder = flatbuffers.Builder(1024)

    def text(self, text: str) -> int:
        return self._builder.CreateString(text)

    def floats(self, values: Sequence[float]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return self._builder.EndVector()

    def tables(self, *tables: int) -> int:
        self._builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self._builder.PrependUOffsetTRelative(table)
        return self._builder.EndVector()

    def table(
        self,
        fields: int,
        offsets: dict[int, int] | None = None,
        signed: dict[int, int] | None = None,
        unsigned: dict[int, int] | None = None,
    ) -> int:
        """A table of so many fields; by their numbers, where others begin, and bytes with and without a sign."""
        builder = self._builder
        put = {
            **{slot: (builder.PrependUOffsetTRelativeSlot, value) for slot, value in (offsets or {}).items()},
            **{slot: (builder.PrependInt8Slot, value) for slot, value in (signed or {}).items()},
            **{slot: (builder.PrependUint8Slot, value) for slot, value in (unsigned or {}).items()},
        }
        builder.StartObject(fields)
        for slot, (prepend, value) in sorted(put.items()):
            prepend(slot, value, 0)
        return builder.EndObject()

    def finish(self, table: int) -> bytes:
        self._builder.Finish(table, FILE_IDENTIFIER)
        return bytes(self._builder.Output())
