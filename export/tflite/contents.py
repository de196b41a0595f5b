"""What a TFLite file says of its own tensors."""

from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from lambda_keras.export.tflite import quantization
from lambda_keras.zoo.errors import UserError

Range = tuple[float, float]


def quantization_of(path: Path) -> str:
    """Finds out from a TFLite file how its numbers are written: one of `lambda_keras.export.tflite.quantization.KINDS`.

    A file in which no tensor was large enough to be quantised is one of kind `none`, and one of kind
    `int8-float-lambdas` without lambda layers is as one of kind `int8-float-io`.

    Raises:
        UserError: It is no TFLite file, or it is damaged.
    """
    content = path.read_bytes()
    try:
        Interpreter(model_content=content)  # Checks every offset in the file, which the schema's code trusts.
    except ValueError as error:
        raise UserError(f"{path} is damaged, or not a TFLite file; export it again") from error
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    types = {tensor.type for tensor in graph.tensors}
    if graph.tensors[graph.inputs[0]].type == schema.TensorType.INT8:
        return quantization.INT8
    if _operators(model, schema.BuiltinOperator.QUANTIZE):
        products = _operators(model, schema.BuiltinOperator.BATCH_MATMUL)
        in_float = any(graph.tensors[product.outputs[0]].type == schema.TensorType.FLOAT32 for product in products)
        return quantization.INT8_FLOAT_LAMBDAS if in_float else quantization.INT8_FLOAT_IO
    if schema.TensorType.FLOAT16 in types:
        return quantization.FLOAT16
    return quantization.DYNAMIC if schema.TensorType.INT8 in types else quantization.NONE


def takes_pictures(path: Path) -> bool:
    """Whether a TFLite file that is sound is a classifier that makes pictures of any size ready itself.

    Args:
        path: The file.
    """
    graph = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0).subgraphs[0]
    images = [graph.tensors[index] for index in graph.inputs]
    return [image.type for image in images] == [schema.TensorType.UINT8] and images[0].shapeSignature is not None


def finds_objects(path: Path) -> bool:
    """Whether a TFLite file that is sound is a detector: it returns boxes.

    Args:
        path: The file.
    """
    signatures = Interpreter(model_path=str(path)).get_signature_list()
    return any("boxes" in signature["outputs"] for signature in signatures.values())


def calibrated_tensors(content: bytes) -> dict[str, tuple[Range, float]]:
    """Reads what the calibration of an int8 model has set.

    Args:
        content: The TFLite file: a classifier that ends in softmax, quantised to int8.

    Returns:
        For `input` and `logits` the lowest and the highest value that can be represented, and the step between two.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    image = graph.tensors[graph.inputs[0]]
    if image.type != schema.TensorType.INT8:
        first = next(op for op in _operators(model, schema.BuiltinOperator.QUANTIZE) if op.inputs[0] == graph.inputs[0])
        image = graph.tensors[first.outputs[0]]
    softmax = _operators(model, schema.BuiltinOperator.SOFTMAX)[-1]
    return {"input": _calibrated(image), "logits": _calibrated(graph.tensors[softmax.inputs[0]])}


def _operators(model, code):
    codes = [operator.builtinCode for operator in model.operatorCodes]
    return [operator for operator in model.subgraphs[0].operators if codes[operator.opcodeIndex] == code]


def _calibrated(tensor):
    scale, zero_point = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    limits = np.iinfo("int8")
    return ((limits.min - zero_point) * scale, (limits.max - zero_point) * scale), scale
