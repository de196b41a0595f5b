"""The texts as those to whom they go read them: the shell, json, Python, TensorFlow Serving's protos.

The servers here are ours, not TensorFlow Serving.
"""

import base64
import contextlib
import dataclasses
import http.server
import importlib.metadata
import json
import shlex
import shutil
import subprocess
import sys
import threading
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from lambda_keras.export.serving.instructions import (
    curl_command,
    docker_command,
    files,
    grpc_client,
    instructions,
    models_config,
    write_files,
)
from lambda_keras.export.serving.service import Service, find_service
from lambda_keras.zoo.evaluation.prediction import predict


@pytest.fixture(scope="module")
def signatures(server_model):
    return tf.saved_model.load(server_model).signatures


@pytest.fixture(scope="module")
def classes(run_of_model, image_files):
    (image,) = predict(run_of_model, image_files[:1])
    return [row["class"] for row in image["predictions"]]


@pytest.fixture
def image(image_files, tmp_path):
    """A file whose name a shell would split, with zeros at its end, which NumPy's strings would lose."""
    path = tmp_path / "one $ picture's.png"
    path.write_bytes(image_files[0].read_bytes() + bytes(3))
    return path


def service_of(folder, *numbers):
    versions = tuple(folder / str(number) for number in numbers)
    return Service("digits", folder, versions, "classify_bytes", "image_bytes", None, None)


def test_docker(tmp_path):
    folder = tmp_path / "my models"
    ports, name = ["-p", "8500:8500", "-p", "8501:8501"], ["-e", "MODEL_NAME=digits"]
    image = f"tensorflow/serving:{importlib.metadata.version('tensorflow-serving-api')}"
    expected = ["docker", "run", "--rm", *ports, "-v", f"{folder}:/models/digits", *name, image]
    assert shlex.split(docker_command(service_of(folder, 1))) == expected


@pytest.mark.parametrize(
    ("numbers", "labels"),
    [((1,), {"stable": 1}), ((9, 10), {"stable": 9, "canary": 10}), ((1, 2, 3), {"stable": 2, "canary": 3})],
)
def test_models_config(tmp_path, numbers, labels):
    text = models_config(service_of(tmp_path, *numbers))
    (config,) = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    assert (config.name, config.base_path, config.model_platform) == ("digits", "/models/digits", "tensorflow")
    assert dict(config.version_labels) == labels
    assert list(config.model_version_policy.specific.versions) == list(labels.values())


# Messages that tensorflow-serving-api leaves out, by TensorFlow Serving's files servables/tensorflow/
# session_bundle_config.proto and config/monitoring_config.proto.
PROTOS = {
    "BatchingParameters": {
        "max_batch_size": (1, ".google.protobuf.Int64Value"),
        "batch_timeout_micros": (2, ".google.protobuf.Int64Value"),
        "max_enqueued_batches": (3, ".google.protobuf.Int64Value"),
        "num_batch_threads": (4, ".google.protobuf.Int64Value"),
    },
    "PrometheusConfig": {"enable": (1, "TYPE_BOOL"), "path": (2, "TYPE_STRING")},
    "MonitoringConfig": {"prometheus_config": (1, ".tensorflow.serving.PrometheusConfig")},
}


def parsed(name, text):
    """A message of `PROTOS`, read as the server reads it."""
    file = descriptor_pb2.FileDescriptorProto(name="serving.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    for message, fields in PROTOS.items():
        added = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            of_message = {"type": "TYPE_MESSAGE", "type_name": kind} if kind.startswith(".") else {"type": kind}
            added.field.add(name=field, number=number, label="LABEL_OPTIONAL", **of_message)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return text_format.Parse(
        text, message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))()
    )


def test_batching_and_monitoring(tmp_path):
    texts = files(service_of(tmp_path, 1))
    batching = parsed("BatchingParameters", texts["batching.config"])
    assert (batching.max_batch_size.value, batching.batch_timeout_micros.value) == (16, 2000)
    assert (batching.num_batch_threads.value, batching.max_enqueued_batches.value) == (2, 100)
    prometheus = parsed("MonitoringConfig", texts["monitoring.config"]).prometheus_config
    assert (prometheus.enable, prometheus.path) == (True, "/monitoring/prometheus/metrics")


def flags(words):
    return dict(word.removeprefix("--").split("=") for word in words)


@pytest.mark.parametrize("folder", ["models", 'my $models: "a", ü'])
def test_compose(tmp_path, folder):
    service = service_of(tmp_path / folder, 1)
    (name, serving), *others = yaml.safe_load(files(service)["compose.yaml"])["services"].items()
    assert (name, others) == ("serving", [])
    assert serving["image"] == docker_command(service).split()[-1]
    assert serving["mem_limit"] == "2g"
    models, config = serving["volumes"]
    assert models["source"].replace("$$", "$") == str(tmp_path / folder), "Compose takes `$$` for `$`"
    assert (models["target"], config["source"], config["target"]) == ("/models/digits", ".", "/config")
    options = flags(serving["command"])
    for option, file in (
        ("model_config_file", "models.config"),
        ("batching_parameters_file", "batching.config"),
        ("monitoring_config_file", "monitoring.config"),
    ):
        assert options[option] == f"/config/{file}"
    assert options["enable_batching"] == options["enable_grpc_healthcheck_service"] == "true"


def test_kubernetes(tmp_path):
    service = service_of(tmp_path / "my models", 1, 2)
    texts = files(service)
    config, deployment, entrance = yaml.safe_load_all(texts["kubernetes.yaml"])
    assert [part["kind"] for part in (config, deployment, entrance)] == ["ConfigMap", "Deployment", "Service"]
    assert config["data"] == {name: text for name, text in texts.items() if name.endswith(".config")}
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["args"] == yaml.safe_load(texts["compose.yaml"])["services"]["serving"]["command"]
    assert container["readinessProbe"]["grpc"] == {"port": 8500, "service": "PredictionService"}
    assert container["resources"]["limits"] == {"memory": "2Gi"}
    models, mounted = container["volumeMounts"]
    assert (models["mountPath"], models["subPath"], mounted["mountPath"]) == ("/models/digits", "my models", "/config")
    assert template["spec"]["volumes"][1]["configMap"]["name"] == config["metadata"]["name"] == "digits"
    assert (
        deployment["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"] == entrance["spec"]["selector"]
    )
    assert {port["port"] for port in entrance["spec"]["ports"]} == {8500, 8501}


@pytest.mark.parametrize(
    ("name", "resource"),
    [("My_Model.v2", "my-model-v2"), ("50ts", "model-50ts"), ("__", "model"), ("on", "on"), ("a" * 70, "a" * 63)],
)
def test_names_that_kubernetes_takes(tmp_path, name, resource):
    manifest = files(dataclasses.replace(service_of(tmp_path, 1), name=name))["kubernetes.yaml"]
    assert [part["metadata"]["name"] for part in yaml.safe_load_all(manifest)] == [resource] * 3


def test_the_whole_has_all_of_them(tmp_path):
    service = service_of(tmp_path, 1)
    whole = instructions(service)
    for text in docker_command(service), curl_command(service), *files(service).values():
        assert text in whole
    assert "$" not in whole


def test_they_are_written(tmp_path):
    service = service_of(tmp_path, 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "models.config").write_text("an older one")
    written = write_files(service, tmp_path / "out")
    assert {path.name: path.read_text("utf-8") for path in written} == files(service)
    assert sorted(written) == sorted((tmp_path / "out").iterdir())


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, signatures):
        self.signatures = signatures

    def Predict(self, request, context):  # noqa: N802  (the name in the service's definition)
        assert request.model_spec.name == "letters"
        (image_bytes,) = request.inputs.values()
        outputs = self.signatures[request.model_spec.signature_name](image_bytes=tf.constant(image_bytes.string_val))
        response = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response


def test_the_client_asks_a_server_over_grpc(server_model, signatures, image, classes, tmp_path):
    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(signatures), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        client = grpc_client(find_service(server_model.parent, "letters"))
        assert "localhost:8500" in client
        (tmp_path / "client.py").write_text(client.replace("localhost:8500", f"localhost:{port}"))
        command = [sys.executable, "-I", "client.py", image]
        process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    finally:
        server.stop(None).wait()
    assert process.returncode == 0, process.stderr
    printed = dict(line.split(" ", 1) for line in process.stdout.splitlines())
    assert printed["classes"] == str(np.array([[name.encode() for name in classes]], object))
    assert printed["valid"] == "[ True]"


def test_the_client_of_arrays_sends_them(saved_model, tmp_path):
    arrays = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    for number, array in enumerate(arrays):
        np.save(tmp_path / f"{number}.npy", array)
    client = {"__name__": "client"}
    exec(compile(grpc_client(find_service(saved_model.parent)), "client.py", "exec"), client)
    request = client["predict_request"]([tmp_path / "0.npy", tmp_path / "1.npy"])
    assert (request.model_spec.name, request.model_spec.signature_name) == ("saved_model", "serving_default")
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["images"]), arrays)


@contextlib.contextmanager
def rest_server(answer):
    """A server that hands the path and the JSON of each POST to `answer`, and sends back what that returns."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer(self.path, body)).encode())

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def run_curl(service, answer):
    if shutil.which("curl") is None:
        pytest.skip("curl is not here to run the printed command")
    command = curl_command(service)
    with rest_server(answer) as port:
        assert "localhost:8501" in command
        command = command.replace("localhost:8501", f"localhost:{port}")
        process = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_curl_asks_a_server_over_rest(server_model, signatures, image, classes):
    def answer(path, body):
        assert path == "/v1/models/letters:predict"
        (instance,) = body["instances"]
        encoded = base64.b64decode(instance["image_bytes"]["b64"])
        assert encoded == image.read_bytes()
        (names,) = signatures[body["signature_name"]](image_bytes=tf.constant([encoded]))["classes"].numpy()
        return [name.decode() for name in names]

    assert run_curl(find_service(server_model.parent, "letters", image), answer) == classes


def test_curl_sends_arrays(saved_model):
    def answer(path, body):
        return [path, body["signature_name"], np.shape(body["instances"][0]["images"])]

    expected = ["/v1/models/saved_model:predict", "serving_default", [32, 32, 3]]
    assert run_curl(find_service(saved_model.parent), answer) == expected
