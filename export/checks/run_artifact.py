"""Run artifacts over images as a stranger to this project would: with their own runtime and numpy.

Executed by path in a fresh process (`python -I run_artifact.py …`), never imported. It refuses what a
stranger does not have: our packages, keras, and TensorFlow itself where the runtime does not need it.

    run_artifact.py saved_model|tflite|openvino|onnxruntime RESULTS.npy

It answers each line of JSON on stdin by another on stdout, and ends with stdin. There are two requests:

    {"load": "ARTIFACT"}
    {"run": "ARTIFACT", "images": "FILE.npy", "start": …, "stop": …}

The first is answered by `{"load_seconds": …, "shape": [batch, height, width, channels]}` with null for what may be any
number; any number of artifacts may be loaded. The second runs these images as one batch, writes their probabilities to
the file and is answered by `{"seconds": …}`, which is the time that the runtime took. What fails ends the process.
Another lets clients ask at the same time, for one image each; it is answered by `{"seconds": …}`, how long they did,
and writes how long each request took:

    {"ask": "ARTIFACT", "images": "FILE.npy", "clients": …, "seconds": …, "batching": {…} or null}

What `batching` has are arguments of `batched_latencies` in `clients.py`, which lies beside this file.

Detectors have two requests of their own, answered by `{"load_seconds": …}` and `{"seconds": …}`:

    {"load_detector": "ARTIFACT"}
    {"detect": "ARTIFACT", "picture": "FILE.npz"}

A picture has `encoded`, the bytes of its file, `image`, as a TFLite file takes it, and `size`, its height and width.
What is found in it is written as an .npz file.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

for name in ("lambda_keras", "keras", "tf_keras"):
    # From here on `import name` raises ImportError, of which typeshed does not know.
    sys.modules[name] = None  # type: ignore[assignment]

import json  # noqa: E402
import os  # noqa: E402
import runpy  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

Serve = Callable[[np.ndarray], np.ndarray]
# Each loader returns a function of images to probabilities, the shape of images that the artifact takes, None for what
# may be any number, and the seconds of loading without importing the runtime.
Loaded = tuple[Serve, list[int | None], float]
# Of a detector, a function of the arrays of a picture to those of what is found in it.
Detect = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def load_saved_model(path: str) -> Loaded:
    """A SavedModel in TensorFlow."""
    import tensorflow as tf

    start = time.perf_counter()
    serving = tf.saved_model.load(path).signatures["serving_default"]
    seconds = time.perf_counter() - start
    shape = serving.structured_input_signature[1]["images"].shape
    return lambda images: serving(images=tf.constant(images))["probabilities"].numpy(), shape.as_list(), seconds


def load_openvino(path: str) -> Loaded:
    """A SavedModel in OpenVINO. Of its signatures OpenVINO reads `serving_default` alone, so strings do not matter."""
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # as above
    import openvino

    start = time.perf_counter()
    # By default it computes in bfloat16 where the processor does.
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    seconds = time.perf_counter() - start
    shape = [size.get_length() if size.is_static else None for size in model.input("images").partial_shape]
    return lambda images: model({"images": images})["probabilities"], shape, seconds


def load_onnxruntime(path: str) -> Loaded:
    """A SavedModel in ONNX Runtime, by way of tf2onnx; the conversion does not count as loading."""
    import onnxruntime
    import tensorflow as tf
    from tf2onnx.convert import from_function

    loaded = tf.saved_model.load(path)  # the variables live as long as this
    serving = loaded.signatures["serving_default"]
    images = serving.structured_input_signature[1]["images"]
    function = tf.function(lambda images: serving(images=images)["probabilities"])
    content = from_function(function, input_signature=[images])[0].SerializeToString()
    options = onnxruntime.SessionOptions()
    # Its threads would keep spinning for the next call, and take the time of those whose turn it is.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    seconds = time.perf_counter() - start
    return lambda images: session.run(None, {"images": images})[0], images.shape.as_list(), seconds


def load_tflite(path: str) -> Loaded:
    """A TFLite file in LiteRT."""
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # as above
    from ai_edge_litert.interpreter import Interpreter

    start = time.perf_counter()
    serving = Interpreter(model_path=path).get_signature_runner("serving_default")
    seconds = time.perf_counter() - start
    image, probability = serving.get_input_details()["images"], serving.get_output_details()["probabilities"]

    def serve(images):
        return dequantized(serving(images=quantized(images, image))["probabilities"], probability)

    return serve, [None if n < 0 else int(n) for n in image["shape_signature"]], seconds


def load_detector_saved_model(path: str) -> tuple[Detect, float]:
    """A detector's SavedModel in TensorFlow, which decodes files itself."""
    import tensorflow as tf

    start = time.perf_counter()
    serving = tf.saved_model.load(path).signatures["detect_bytes"]
    seconds = time.perf_counter() - start

    def detect(picture):
        found = serving(image_bytes=tf.constant([picture["encoded"].tobytes()]))
        return {name: value.numpy()[0] for name, value in found.items()}

    return detect, seconds


def load_detector_tflite(path: str) -> tuple[Detect, float]:
    """A detector's TFLite file in LiteRT, which takes pictures that are resized."""
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # as above
    from ai_edge_litert.interpreter import Interpreter

    start = time.perf_counter()
    serving = Interpreter(model_path=path).get_signature_runner("serving_default")
    seconds = time.perf_counter() - start

    def detect(picture):
        found = serving(images=picture["image"][np.newaxis], sizes=picture["size"][np.newaxis])
        return {name: value[0] for name, value in found.items()}

    return detect, seconds


def quantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Float values as the tensor of these details holds them; a float tensor holds them as they are."""
    if details["dtype"] != np.int8:
        return values
    scale, zero_point = details["quantization"]
    return np.clip(np.round(values / scale) + zero_point, -128, 127).astype("int8")


def dequantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """What the values of the tensor of these details mean, as float."""
    if details["dtype"] != np.int8:
        return values
    scale, zero_point = details["quantization"]
    return np.float32(scale) * (values.astype("float32") - zero_point)


def run(serve: Serve, batch_size: int | None, images: np.ndarray) -> tuple[np.ndarray, float]:
    """Probabilities of images and the seconds they took; a batch of fixed size is filled with zeros."""
    missing = batch_size - len(images) if batch_size else 0
    batch = np.pad(images.astype("float32"), [(0, missing), (0, 0), (0, 0), (0, 0)])
    start = time.perf_counter()
    probabilities = serve(batch)
    seconds = time.perf_counter() - start
    return probabilities[: len(images)], seconds


LOADERS = {
    "saved_model": load_saved_model,
    "tflite": load_tflite,
    "openvino": load_openvino,
    "onnxruntime": load_onnxruntime,
}
DETECTOR_LOADERS = {"saved_model": load_detector_saved_model, "tflite": load_detector_tflite}


def detect_in(detect: Detect, picture_path: str, found_path: str) -> float:
    """Writes what is found in a picture, and returns the seconds it took."""
    with np.load(picture_path, allow_pickle=False) as archive:
        picture = dict(archive)
    start = time.perf_counter()
    found = detect(picture)
    seconds = time.perf_counter() - start
    # TensorFlow's strings are Python's objects, of which a file would be a pickle.
    arrays: dict[str, Any] = {
        name: value.astype("S") if value.dtype == object else value for name, value in found.items()
    }
    with open(found_path, "wb") as file:
        np.savez(file, **arrays)
    return seconds


def ask(serve: Serve, request: Mapping[str, Any], results_path: str) -> float:
    """Lets clients ask, writes how long each request took, and returns for how many seconds they did."""
    clients = runpy.run_path(str(Path(__file__).with_name("clients.py")))
    images = np.load(request["images"], allow_pickle=False)
    arguments = serve, images, request["clients"], request["seconds"]
    batching = request["batching"]
    # What a runtime makes when it first meets a size is not the clients' time.
    for size in (1, *range(2, 1 + min(batching["max_batch_size"], request["clients"]) if batching else 2)):
        serve(images[:size])
    start = time.perf_counter()
    latencies = clients["batched_latencies"](*arguments, **batching) if batching else clients["latencies"](*arguments)
    seconds = time.perf_counter() - start
    with open(results_path, "wb") as file:
        np.save(file, latencies)
    return seconds


def main(kind: str, results_path: str) -> None:
    """Answers request after request."""
    # What a runtime prints goes to stderr, so that stdout has nothing but answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    load, loaded, detectors = LOADERS[kind], {}, {}
    for line in sys.stdin:
        request = json.loads(line)
        if "load" in request:
            path = request["load"]
            serve, shape, seconds = load(path)
            loaded[path] = serve, shape
            answer = {"load_seconds": seconds, "shape": shape}
        elif "load_detector" in request:
            path = request["load_detector"]
            detectors[path], seconds = DETECTOR_LOADERS[kind](path)
            answer = {"load_seconds": seconds}
        elif "detect" in request:
            answer = {"seconds": detect_in(detectors[request["detect"]], request["picture"], results_path)}
        elif "ask" in request:
            answer = {"seconds": ask(loaded[request["ask"]][0], request, results_path)}
        else:
            serve, shape = loaded[request["run"]]
            images = np.load(request["images"], mmap_mode="r", allow_pickle=False)[request["start"] : request["stop"]]
            probabilities, seconds = run(serve, shape[0], images)
            # Not by its name, to which NumPy would add an ending.
            with open(results_path, "wb") as file:
                np.save(file, probabilities)
            answer = {"seconds": seconds}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
