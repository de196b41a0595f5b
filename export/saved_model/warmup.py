"""Requests that TensorFlow Serving runs when it loads a model, so that the first client does not wait for them.

TensorFlow makes much of what it needs only when a signature first runs. The server therefore replays the file
`assets.extra/tf_serving_warmup_requests` before it calls a version available
(https://www.tensorflow.org/tfx/serving/saved_model_warmup).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from lambda_keras.export.images.samples import encoded_picture, picture
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.record import Record

WARMUP_REQUESTS = Path("assets.extra", "tf_serving_warmup_requests")
# A server refuses a model with more.
MOST_REQUESTS = 1000
# Of a model that takes images of any size and has no record.
ANY_SIZE = 224


def check_count(count: int, signatures: int) -> None:
    """Raises a `UserError` where `count` requests for each of so many signatures are none or too many for a server."""
    most = MOST_REQUESTS // signatures
    if not 1 <= count <= most:
        raise UserError(
            f"--warmup must be 1 to {most} for a model of {signatures} signatures, because TensorFlow Serving takes "
            f"{MOST_REQUESTS} requests, got {count}"
        )


def write_warmup(folder: Path, functions: dict, count: int, record: Record | None = None) -> None:
    """Writes the requests into a SavedModel: a TFRecord file, each record a `PredictionLog`.

    The images are generated, see `lambda_keras.export.images.samples`: those of a client may be larger files, of which
    decoding and resizing take longer, but they run the same operations. A request has one image. It names no model,
    because a server that warms up knows which one it is loading and does not read the name.

    Args:
        folder: The SavedModel.
        functions: Its signatures by name, as in `lambda_keras.export.saved_model.signatures.ServerModel`.
        count: How many requests of each signature.
        record: The model's record.

    Example:
        >>> server_model.save(folder)  # doctest: +SKIP
        >>> write_warmup(folder, server_model.functions, 10, record)  # doctest: +SKIP
    """
    file = folder / WARMUP_REQUESTS
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for name, function in functions.items():
            (spec,) = function.input_signature
            for number in range(count):
                request = predict_request(name, spec.name, _images(spec, number, record))
                log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
                writer.write(log.SerializeToString())


def read_warmup(folder: Path) -> Iterator[predict_pb2.PredictRequest]:
    """Gives the requests of a SavedModel, none if it has no such file."""
    if (folder / WARMUP_REQUESTS).is_file():
        for entry in tf.data.TFRecordDataset(str(folder / WARMUP_REQUESTS)):
            yield prediction_log_pb2.PredictionLog.FromString(entry.numpy()).predict_log.request


def predict_request(signature: str, name: str, value: np.ndarray | list[bytes]) -> predict_pb2.PredictRequest:
    """Makes a request of a signature from its input's name and value."""
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def _images(spec, number, record):
    """One image as the signature takes it."""
    size = record.preprocessor.image_size if record else ANY_SIZE
    if spec.dtype == tf.string:
        return [encoded_picture(size, size, record.preprocessor.channels, number)]
    height, width, channels = (side or size for side in spec.shape[1:])
    pixels = picture(height, width, channels, number)[np.newaxis].astype(spec.dtype.as_numpy_dtype)
    # Without a record images are taken normalised.
    return pixels if record else pixels / 127.5 - 1
