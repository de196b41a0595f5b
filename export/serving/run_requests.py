"""Answer requests with a SavedModel as TensorFlow Serving does: by its messages, without Keras and this project.

Executed by path in a fresh process (`python -I run_requests.py …`), never imported.

    run_requests.py SAVED_MODEL FOLDER

Each `FOLDER/*.request`, a PredictRequest, gets a `.response` beside it, the PredictResponse. Each `FOLDER/*.json`, the
body of a request over REST in rows ("instances"), gets an `.answer`, the body that the server returns.
"""

import base64
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

for name in ("lambda_keras", "keras", "tf_keras"):
    # From here on `import name` raises ImportError, of which typeshed does not know.
    sys.modules[name] = None  # type: ignore[assignment]

import tensorflow as tf  # noqa: E402
from tensorflow_serving.apis import predict_pb2  # noqa: E402

SERVING_DEFAULT = "serving_default"


def predict(signatures: Mapping[str, tf.types.experimental.ConcreteFunction], content: bytes) -> bytes:
    """The PredictResponse to a PredictRequest, both as bytes."""
    request = predict_pb2.PredictRequest.FromString(content)
    inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
    outputs = signatures[request.model_spec.signature_name or SERVING_DEFAULT](**inputs)
    response = predict_pb2.PredictResponse(model_spec=request.model_spec)
    for name, value in outputs.items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    return response.SerializeToString()


def predict_rows(signatures: Mapping[str, tf.types.experimental.ConcreteFunction], body: str) -> str:
    """The answer to a request over REST (https://www.tensorflow.org/tfx/serving/api_rest), both as JSON.

    Each instance is an object of inputs by name, each prediction one of outputs. A string that is no text is
    {"b64": "…"}, in outputs if their name ends in `_bytes`.
    """
    request = json.loads(body)
    signature = signatures[request.get("signature_name", SERVING_DEFAULT)]
    instances, (_, specs) = request["instances"], signature.structured_input_signature
    inputs = {
        name: tf.constant([from_json(instance[name]) for instance in instances], spec.dtype)
        for name, spec in specs.items()
    }
    outputs = {name: to_json(name, value.numpy().tolist()) for name, value in signature(**inputs).items()}
    rows = [{name: values[index] for name, values in outputs.items()} for index in range(len(instances))]
    return json.dumps({"predictions": rows})


def from_json(value: Any) -> Any:
    """A value of a tensor, nested lists as they are."""
    return base64.b64decode(value["b64"], validate=True) if isinstance(value, dict) else value


def to_json(name: str, value: Any) -> Any:
    """A value of the output of this name, strings as REST has them."""
    if isinstance(value, list):
        return [to_json(name, element) for element in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()} if name.endswith("_bytes") else value.decode()
    return value


def main(saved_model: str, folder: str) -> None:
    """Answers what is in the folder."""
    signatures = tf.saved_model.load(saved_model).signatures
    for file in Path(folder).glob("*.request"):
        file.with_suffix(".response").write_bytes(predict(signatures, file.read_bytes()))
    for file in Path(folder).glob("*.json"):
        file.with_suffix(".answer").write_text(predict_rows(signatures, file.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
