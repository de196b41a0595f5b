"""Which operations of TFLite files the delegates of phones leave to the CPU, by what the delegates' authors list.

    python -m benchmarks.delegates

writes results/delegates.csv. Nothing runs: the operations in files of this package are compared with lists that were
read in the repository google-ai-edge/LiteRT at commit f67457790 (August 2026): tflite/delegates/gpu/README.md and
gpu/common/model_builder.cc, nnapi/nnapi_delegate.cc, coreml/README.md. The weights of LambdaResNet-50 are random.
"""

import collections
import pathlib
import tempfile

from ai_edge_litert import schema_py_generated as schema

import lambda_keras as lk
from benchmarks.export import calibration
from benchmarks.timing import write_csv
from lambda_keras.export.model import load
from lambda_keras.export.tflite.calibration import load_calibration
from lambda_keras.export.tflite.quantization import CALIBRATED, DYNAMIC, FLOAT16, INT8, KINDS, NONE
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.models.model_source import find

# By delegate, the operations that it takes, by their names in TFLite's schema.
LISTS = {
    "gpu_readme": """
        ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXP FULLY_CONNECTED LOGISTIC LSTM MAX_POOL_2D
        MAXIMUM MINIMUM MUL PAD PRELU RELU RELU6 RESHAPE RESIZE_BILINEAR SOFTMAX STRIDED_SLICE SUB TRANSPOSE_CONV
    """,
    "gpu_source": """
        ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D COS CUMSUM DENSIFY DEPTH_TO_SPACE
        DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER
        GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LSTM MAX_POOL_2D MAXIMUM MEAN
        MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD
        RELU RELU_0_TO_1 RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN
        SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE
        TRANSPOSE TRANSPOSE_CONV UNPACK
    """,
    "nnapi": """
        ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BIDIRECTIONAL_SEQUENCE_LSTM CAST
        CONCATENATION CONV_2D COS DENSIFY DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU EMBEDDING_LOOKUP EQUAL EXP
        EXPAND_DIMS FILL FLOOR FULLY_CONNECTED GATHER GREATER GREATER_EQUAL HARD_SWISH HASHTABLE_LOOKUP L2_NORMALIZATION
        L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOCAL_RESPONSE_NORMALIZATION LOG LOG_SOFTMAX LOGICAL_AND LOGICAL_NOT
        LOGICAL_OR LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MAXIMUM MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD
        PADV2 POW PRELU QUANTIZE REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE
        RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RNN RSQRT SELECT SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
        SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TILE TOPK_V2
        TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN UNPACK
    """,
    "core_ml": """
        ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED HARD_SWISH LOGISTIC MAX_POOL_2D
        MIRROR_PAD MUL PAD PADV2 RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR SOFTMAX TANH TRANSPOSE_CONV
    """,
}
NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}


def operations(path):
    """How many there are of each operation in a TFLite file."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    codes = [NAMES[operator.builtinCode] for operator in model.operatorCodes]
    return collections.Counter(codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators)


def left_to_the_cpu(counts, delegate, kind):
    """What a delegate does not take, such as `4 GATHER, 2 SHAPE`."""
    if delegate == "core_ml" and kind in CALIBRATED:
        return "all"
    left = {name: count for name, count in sorted(counts.items()) if name not in LISTS[delegate].split()}
    return ", ".join(f"{count} {name}" for name, count in left.items()) or "nothing"


def files(folder):
    """Name of the model, kind and what else was given, and the file, of each."""
    digits, record = load(find("lambda_resnet_tiny.digits"))
    images = load_calibration("digits", digits, 200, record)
    for kind in KINDS:
        chosen = images if kind in CALIBRATED else None
        yield "lambda_resnet_tiny", kind, "--batch 1", export_tflite(digits, folder / "a.tflite", kind, chosen, 1)
    for kind in (NONE, FLOAT16, DYNAMIC):
        any_size = export_tflite(digits, folder / "a.tflite", kind, record=record, any_size=True)
        yield "lambda_resnet_tiny", kind, "--any-size", any_size
    fused = lk.fuse(lk.LambdaResNet50(weights=None, input_shape=(224, 224, 3)))
    yield "lambda_resnet50", NONE, "--batch 1 --fuse", export_tflite(fused, folder / "a.tflite", batch_size=1)
    int8 = export_tflite(fused, folder / "a.tflite", INT8, calibration(), 1)
    yield "lambda_resnet50", INT8, "--batch 1 --fuse", int8


def main():
    """Writes a row for each file."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model, kind, options, path in files(pathlib.Path(folder)):
            counts = operations(path)
            left = {delegate: left_to_the_cpu(counts, delegate, kind) for delegate in LISTS}
            rows.append({"model": model, "kind": kind, "options": options, "operations": counts.total(), **left})
            print(rows[-1])
    write_csv("delegates", rows, replace_all=True)


if __name__ == "__main__":
    main()
