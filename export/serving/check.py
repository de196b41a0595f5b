"""Prove, without a server, that the examples for TensorFlow Serving ask what a SavedModel can answer."""

import json
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.config import model_server_config_pb2

from lambda_keras.export.files import temporary_folder
from lambda_keras.export.saved_model.signatures import MOST_CLASSES
from lambda_keras.export.saved_model.warmup import read_warmup
from lambda_keras.export.serving.instructions import curl_command, grpc_client, models_config, sample_image
from lambda_keras.export.serving.service import Service
from lambda_keras.zoo.errors import UserError

RUNNER = Path(__file__).with_name("run_requests.py")
TOLERANCE = 1e-5


@dataclass(frozen=True)
class ServeCheck:
    """What the newest version answered.

    Attributes:
        grpc: The most probable classes with their probabilities, as the client over gRPC gets them.
        rest: The same as curl gets them.
        warmup: How many requests that a server replays when it starts were answered.
    """

    grpc: list[tuple[str, float]]
    rest: list[tuple[str, float]]
    warmup: int

    def agrees(self) -> bool:
        """Whether both name the same classes in the same order with the same probabilities."""
        # A detector may find nothing.
        (grpc_names, grpc), (rest_names, rest) = (
            ([name for name, _ in pairs], [score for _, score in pairs]) for pairs in (self.grpc, self.rest)
        )
        return grpc_names == rest_names and np.allclose(grpc, rest, rtol=0, atol=TOLERANCE)

    def __str__(self):
        return (
            f"over gRPC: {_describe(self.grpc)}\n"
            f"over REST: {_describe(self.rest)}\n"
            f"warm-up: {self.warmup} requests answered\n"
            f"gRPC and REST {'agree' if self.agrees() else 'DISAGREE'}"
        )


def serve_check(service: Service) -> ServeCheck:
    """Runs what the examples of `lambda_keras.export.serving.instructions` send, without Keras and this project.

    The request over gRPC is made by the printed client and goes through its bytes; the body of the request over REST
    is what the printed command gives to curl; `models.config` is parsed. TensorFlow Serving itself does not run.

    Raises:
        UserError: The image is none, or the SavedModel does not run.
    """
    text_format.Parse(models_config(service), model_server_config_pb2.ModelServerConfig())
    with temporary_folder() as folder:
        (folder / "grpc.request").write_bytes(_grpc_request(service, folder))
        (folder / "rest.json").write_bytes(_rest_body(service))
        warmup = list(read_warmup(service.versions[-1]))
        for number, request in enumerate(warmup):
            (folder / f"warmup-{number}.request").write_bytes(request.SerializeToString())
        _answer(service.versions[-1], folder)
        response = predict_pb2.PredictResponse.FromString((folder / "grpc.response").read_bytes())
        (row,) = json.loads((folder / "rest.answer").read_bytes())["predictions"]
    outputs = {name: tf.make_ndarray(tensor)[0] for name, tensor in response.outputs.items()}
    if service.takes_files and not outputs["valid"]:
        raise UserError(
            f"cannot decode {service.image}: it is too large, damaged, or not a JPEG, PNG, BMP, GIF or WebP file"
        )
    return ServeCheck(_most_probable(outputs), _most_probable(row), len(warmup))


def _grpc_request(service, folder):
    """What the printed client sends."""
    (folder / "client.py").write_text(grpc_client(service), "utf-8")
    client = runpy.run_path(str(folder / "client.py"))
    image = service.image or folder / "image"
    if not service.takes_files:
        with image.open("wb") as file:
            np.save(file, np.zeros(service.image_shape, "float32"))
    elif not service.image:
        image.write_bytes(sample_image())
    return client["predict_request"]([str(image)]).SerializeToString()


def _rest_body(service):
    """What the printed command sends: the shell runs it with a curl that prints its input."""
    command = ["sh", "-c", f"curl() {{ cat; }}\n{curl_command(service)}"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _answer(version, folder):
    command = [sys.executable, "-I", RUNNER, version, folder]
    process = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if process.returncode != 0:
        last_line = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{version} does not run (exit status {process.returncode}): {last_line}")


def _most_probable(outputs):
    """The classes of one image with their probabilities, the most probable first.

    A model without a record has numbers for names. Names need not differ from each other. Of a detector these are the
    objects.
    """
    if "classes" in outputs:
        names = [name.decode() if isinstance(name, bytes) else name for name in outputs["classes"]]
        pairs = list(zip(names, map(float, outputs["scores"]), strict=True))
        # In rows without an object the score is 0.
        return [pair for pair in pairs if pair[1] > 0] if "boxes" in outputs else pairs
    probabilities = np.asarray(outputs["probabilities"])
    order = np.argsort(-probabilities, kind="stable")[:MOST_CLASSES]
    return [(str(label), float(probabilities[label])) for label in order]


def _describe(classes):
    return ", ".join(f"{name} {probability:.2%}" for name, probability in classes) or "nothing"
