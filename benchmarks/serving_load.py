"""Several clients ask a server for minutes: whether each gets the answer to its own picture, how fast, in which memory.

    python -m benchmarks.serving_load

writes results/serving_load.csv, a row for each minute. The server is tests/export/serving/server.py: TensorFlow's
session behind TensorFlow Serving's gRPC interface, in a process of its own. A request is a picture's file, now and then
with a damaged one beside it, which must be told from the other, or an image of a wrong size, which must be refused.
"""

import argparse
import contextlib
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from benchmarks.process_memory import RESIDENT, memory
from benchmarks.timing import write_csv
from lambda_keras.export.model import load
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.models.model_source import find

SERVER = pathlib.Path(__file__).parent.parent / "tests" / "export" / "serving" / "server.py"
FILES = 64
DAMAGED_EVERY, WRONG_EVERY = 10, 25


@contextlib.contextmanager
def server(saved_model):
    """Starts a server; gives its process and a channel to it."""
    command = [sys.executable, "-I", str(SERVER), str(saved_model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"localhost:{port}") as channel:
                yield process, channel
        finally:
            process.stdin.close()


def request_of(signature, **inputs):
    """A PredictRequest."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "digits", signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


class Clients:
    """Clients that ask until they are told to stop, and check each answer.

    Args:
        channel: To the server.
        files: The pictures' files.
        expected: Of each the scores, as a server must give them.
        side: Pixels on a side of the model's images.
    """

    def __init__(self, channel, files, expected, side):
        self.predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        self.files, self.expected, self.side = files, expected, side
        self.stopped = threading.Event()
        self.sent, self.seconds, self.wrong, self.refused = 0, [], [], 0
        self._lock = threading.Lock()

    def run(self, number):
        """What one client does."""
        position = number
        while not self.stopped.is_set():
            with self._lock:
                self.sent += 1
                turn = self.sent
            begin = time.perf_counter()
            is_right = self.ask(turn, position % len(self.files))
            with self._lock:
                self.seconds.append(time.perf_counter() - begin)
                self.wrong += [] if is_right else [turn]
            position += 1

    def ask(self, turn, index):
        """Sends a request; whether the answer is right."""
        if turn % WRONG_EVERY == 1:
            try:
                self.predict(request_of("classify_uint8", images=np.zeros((1, 9, 9, 1), "uint8")), timeout=60)
            except grpc.RpcError as error:
                self.refused += 1
                words = f"[batch, {self.side}, {self.side}, 1], got a tensor of the shape] [1 9 9 1]"
                return error.code() == grpc.StatusCode.INVALID_ARGUMENT and words in error.details()
            return False
        is_damaged = turn % DAMAGED_EVERY == 2
        encoded = [self.files[index], b"damaged"] if is_damaged else [self.files[index]]
        outputs = self.predict(request_of("classify_bytes", image_bytes=encoded), timeout=60).outputs
        scores, valid = (tf.make_ndarray(outputs[name]) for name in ("scores", "valid"))
        return (
            np.allclose(scores[0], self.expected[index], atol=1e-5) and valid.tolist() == [True, False][: len(encoded)]
        )


def load_test(saved_model, files, clients, seconds, every):
    """Lets clients ask a server.

    Args:
        saved_model: The folder of a version, of a model of the digits.
        files: The pictures' files.
        clients: How many ask at the same time.
        seconds: For how long.
        every: After so many seconds there is a row.

    Returns:
        Rows as dicts: what was asked and answered since the row before, and the server's memory then.
    """
    signatures = tf.saved_model.load(str(saved_model)).signatures
    expected = signatures["classify_bytes"](image_bytes=tf.constant(files))["scores"].numpy()
    side = signatures["classify_uint8"].structured_input_signature[1]["images"].shape[1]
    rows = []
    with server(saved_model) as (process, channel):
        asking = Clients(channel, files, expected, side)
        # What a session makes when a signature first runs is not the clients' time.
        assert asking.ask(1, 0)
        assert asking.ask(2, 0)
        threads = [threading.Thread(target=asking.run, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        begin = time.perf_counter()
        try:
            for passed in np.arange(every, seconds + every / 2, every):
                time.sleep(max(0, begin + passed - time.perf_counter()))
                rows.append(_row(asking, process, clients, passed, every))
        finally:
            asking.stopped.set()
            for thread in threads:
                thread.join()
        rows[-1]["lost"] = asking.sent - len(asking.seconds) - sum(row["answered"] for row in rows)
        rows[-1]["wrong"] += len(asking.wrong)
    return rows


def _row(asking, process, clients, passed, every):
    with asking._lock:
        seconds, asking.seconds = asking.seconds, []
        wrong, asking.wrong = asking.wrong, []
        refused, asking.refused = asking.refused, 0
    p50, p90, p99 = np.percentile(seconds, [50, 90, 99])
    return {
        "clients": clients,
        "seconds": float(passed),
        "answered": len(seconds),
        "lost": 0,
        "wrong": len(wrong),
        "refused": refused,
        "requests_per_second": round(len(seconds) / every, 1),
        "p50_ms": round(p50 * 1e3, 2),
        "p90_ms": round(p90 * 1e3, 2),
        "p99_ms": round(p99 * 1e3, 2),
        "server_mb": round(memory(RESIDENT, process.pid) / 1e6, 1),
    }


def digit_files():
    """PNG files of some digits."""
    return [tf.io.encode_png(image).numpy() for image in digits.load_arrays()[0][:FILES]]


def main(arguments=None):
    """Exports the model, asks it, and writes the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=300)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        model, record = load(find("lambda_resnet_tiny.digits"))
        version = export_saved_model(model, pathlib.Path(folder), record)
        rows = load_test(version, digit_files(), options.clients, options.seconds, every=min(60, options.seconds))
    for row in rows:
        print(row)
    write_csv("serving_load", rows)


if __name__ == "__main__":
    main()
