"""Which operations of a TFLite file XNNPACK, LiteRT's fast kernels for CPUs, does not run."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter

from lambda_keras.export.standard_error import standard_error_to

DELEGATE = "DELEGATE"


def operations_outside_xnnpack(path: Path) -> Counter:
    """Counts the operations that run one by one, outside XNNPACK.

    Args:
        path: A TFLite file.

    Returns:
        By name how many there are; empty where XNNPACK runs the whole model. A loop counts as one, whatever is in it.

    Example:
        >>> operations_outside_xnnpack(Path("runs/digits/model.tflite"))  # doctest: +SKIP
        Counter({'GATHER': 2})
    """
    with standard_error_to(Path(os.devnull)):  # where the runtime says that it has made the delegate
        interpreter = Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
    # The runtime's public interface does not list its operations.
    operations = interpreter._get_ops_details()
    delegates = [operation for operation in operations if operation["op_name"] == DELEGATE]
    originals = [operation for operation in operations if operation["op_name"] != DELEGATE]
    # A negative number stands for an optional tensor that is not there.
    producers = {int(tensor): operation for operation in originals for tensor in operation["outputs"] if tensor >= 0}
    delegated = {index for delegate in delegates for index in _computing(delegate, producers)}
    return Counter(operation["op_name"] for operation in originals if operation["index"] not in delegated)


def _computing(delegate: dict[str, Any], producers: dict[int, dict[str, Any]]) -> set[int]:
    """The indices of the operations in whose place a delegate stands: from its outputs back to its inputs."""
    indices: set[int] = set()
    boundary = set(map(int, delegate["inputs"]))
    tensors = list(map(int, delegate["outputs"]))
    while tensors:
        tensor = tensors.pop()
        # A constant has no producer.
        if tensor not in boundary and tensor in producers:
            boundary.add(tensor)
            indices.add(producers[tensor]["index"])
            tensors.extend(map(int, producers[tensor]["inputs"]))
    return indices
