"""Other runtimes than TensorFlow that run a SavedModel."""

import importlib.util

from lambda_keras.zoo.errors import UserError

OPENVINO = "openvino"
ONNXRUNTIME = "onnxruntime"
# By name, the packages that each needs.
RUNTIMES = {OPENVINO: ("openvino",), ONNXRUNTIME: ("onnxruntime", "tf2onnx")}


def check_installed(runtime: str) -> None:
    """Raises a `UserError` unless the packages of one of `RUNTIMES` are installed."""
    missing = [package for package in RUNTIMES[runtime] if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"--runtime {runtime} needs {' and '.join(missing)}, not installed here; "
            "pip install 'lambda-keras[runtimes]'"
        )
