"""Measures artifacts of LambdaResNet-50 beside those of two networks of `keras.applications`, through the same path.

    python -m benchmarks.export

needs the `runtimes` extra and writes results/export.csv: size, time to load, latency of one image and of a batch of 8,
all artifacts by turns, each in a process of its own. The weights are random, but for those that training starts at
zero. Every runtime has the threads that it takes by default: TensorFlow and OpenVINO all cores, LiteRT one. TFLite
files are made with `--batch 1`.
"""

import contextlib
import dataclasses
import pathlib
import statistics
import tempfile

import keras
import numpy as np

import lambda_keras as lk
from benchmarks.timing import options, write_csv
from lambda_keras.export.checks.artifact import find_artifact
from lambda_keras.export.checks.runner import start
from lambda_keras.export.checks.runtimes import OPENVINO
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.export.tflite.calibration import Calibration
from lambda_keras.export.tflite.quantization import DYNAMIC, FLOAT16, INT8, INT8_FLOAT_LAMBDAS, NONE
from lambda_keras.export.tflite.writer import export_tflite

IMAGE_SIZE = 224
ROUNDS, SHORT_ROUNDS = 15, 5
BATCHES = (1, 8)
BASELINE = "ResNet50"
# The baseline has neither a fused form nor lambda layers.
UNFUSED = {
    "SavedModel fused": "SavedModel raw",
    "OpenVINO fused": "OpenVINO raw",
    "TFLite float32 fused": "TFLite float32",
    "TFLite int8 fused": "TFLite int8",
    "TFLite int8-float-lambdas": "TFLite int8",
    "TFLite int8-float-lambdas fused": "TFLite int8",
}
MODELS = {
    "LambdaResNet50": lk.LambdaResNet50,
    BASELINE: keras.applications.ResNet50,
    "EfficientNetB1": keras.applications.EfficientNetB1,
}
SHORT_MODELS = ("LambdaResNet50", BASELINE)


def calibration():
    """Patches of random colours: which values occur decides on the numbers of an int8 file, not on its time."""
    patches = np.random.default_rng(0).integers(0, 256, (40, IMAGE_SIZE // 16, IMAGE_SIZE // 16, 3), dtype="uint8")
    images = patches.repeat(16, axis=1).repeat(16, axis=2)
    return Calibration(images[:32], images[32:], np.full(3, 0.45, "float32"), np.full(3, 0.22, "float32"))


def start_branches(model):
    """Gives branches that training starts at zero a scale.

    What is zero for every image has no range in int8, and XNNPACK does not take its operations: a file would be slower
    than that of a trained network.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and not np.any(layer.gamma):
            layer.gamma.assign(np.full(layer.gamma.shape, 0.2, "float32"))


def export(name, folder, short):
    """Writes the artifacts of a model; returns its number of parameters, and them by what they are called.

    In the short form they are those that are written soonest.
    """
    model = MODELS[name](weights=None, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3))
    start_branches(model)
    artifacts = {}

    def add_saved_model(what, network, freeze=False):
        artifact = find_artifact(export_saved_model(network, folder / what, freeze=freeze))
        artifacts[f"SavedModel {what}"] = artifact
        artifacts[f"OpenVINO {what}"] = dataclasses.replace(artifact, kind=OPENVINO)

    def add_tflite(what, network, kind, images=None):
        path = export_tflite(network, folder / f"{what}.tflite", kind, images, batch_size=1)
        artifacts[f"TFLite {what}"] = find_artifact(path)

    add_saved_model("raw", model)
    add_tflite("float32", model, NONE)
    if short:
        return model.count_params(), artifacts
    add_saved_model("frozen", model, freeze=True)
    add_tflite("float16", model, FLOAT16)
    add_tflite("dynamic", model, DYNAMIC)
    add_tflite("int8", model, INT8, calibration())
    # `fuse` folds what models of this package have; LiteRT and OpenVINO fold BatchNorm themselves.
    if name not in vars(keras.applications):
        add_tflite("int8-float-lambdas", model, INT8_FLOAT_LAMBDAS, calibration())
        fused = lk.fuse(model)
        add_saved_model("fused", fused)
        add_tflite("float32 fused", fused, NONE)
        add_tflite("int8 fused", fused, INT8, calibration())
        add_tflite("int8-float-lambdas fused", fused, INT8_FLOAT_LAMBDAS, calibration())
    # OpenVINO turns constants into the same as variables.
    del artifacts["OpenVINO frozen"]
    return model.count_params(), artifacts


def size(path):
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def measure(runners, folder, rounds):
    """Median seconds of each runner for each batch that it takes: `{(runner, batch): seconds}`."""
    path = folder / "images.npy"
    np.save(path, np.random.default_rng(0).normal(size=(max(BATCHES), IMAGE_SIZE, IMAGE_SIZE, 3)).astype("float32"))
    seconds = {}
    for batch in BATCHES:
        taking = [runner for runner in runners if runner.shape[0] in (None, batch)]
        # Once before, which does not count.
        times = [[runner.run(path, 0, batch)[1] for runner in taking] for _ in range(1 + rounds)][1:]
        for runner, column in zip(taking, zip(*times, strict=True), strict=True):
            seconds[runner, batch] = statistics.median(column)
    return seconds


def main():
    """Exports, measures, prints, writes."""
    short = options(__doc__).parse_args().short
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        runners, parameters = {}, {}
        for model in SHORT_MODELS if short else MODELS:
            parameters[model], artifacts = export(model, folder / model, short)
            for what, artifact in artifacts.items():
                (runners[model, what],) = stack.enter_context(start([artifact]))
        seconds = measure(runners.values(), folder, SHORT_ROUNDS if short else ROUNDS)
        rows = []
        for (model, what), runner in runners.items():
            one = seconds[runner, 1]
            # In the same form; the baseline has no fused one.
            baseline = runners[BASELINE, UNFUSED.get(what, what)]
            rows.append(
                {
                    "model": model,
                    "image_size": IMAGE_SIZE,
                    "artifact": what,
                    "parameters": parameters[model],
                    "bytes": size(runner.artifact.path),
                    "load_seconds": f"{runner.load_seconds:.3f}",
                    "seconds": f"{one:.4f}",
                    "ratio_to_raw": f"{one / seconds[runners[model, 'SavedModel raw'], 1]:.2f}",
                    "ratio_to_resnet50": f"{one / seconds[baseline, 1]:.2f}",
                    "seconds_of_8": f"{seconds[runner, 8]:.4f}" if (runner, 8) in seconds else "",
                }
            )
            print(*rows[-1].values(), sep="\t", flush=True)
    write_csv("export", rows, short=short)


if __name__ == "__main__":
    main()
