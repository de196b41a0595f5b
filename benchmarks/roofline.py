"""How near a network comes to what the machine's matrix products reach, and where the rest of its time goes.

    python -m benchmarks.roofline

writes results/roofline.csv: for a training step, and for an inference of what `lk.fuse` makes of the network. The peak
is that of products of two square matrices in float32. A training step does three times the multiply-adds of an
inference: the output and the gradients of both factors of each product. The shares of time are those of the operations
in TensorFlow's profile of some steps, of which two may run at once.
"""

import collections
import re
import tempfile
from pathlib import Path

import tensorflow as tf

import lambda_keras as lk
from benchmarks.networks import build, inference, training_step
from benchmarks.timing import interleaved_medians, options, write_csv

NETWORKS = (("lambda_resnet50", 160), ("EfficientNetB1", 240))
BATCH = 8
SIDE = 4096
STEPS = 3
# By name what makes a step of a network, and the multiply-adds of the step in those of an inference.
MODES = {
    "training": (training_step, 3),
    "inference, fused": (lambda model, batch: inference(lk.fuse(model), batch), 1),
}
# The first that fits: what an operation is for, by its name and its kind.
GROUPS = {
    "optimizer": r"^sgd(_\d+)?/",
    "batch normalisation": r"BatchNorm|_bn_|/bn",
    "depthwise convolutions": r":.*Depthwise",
    "lambda layers": r"_lambda_",
    "convolutions": r":.*Conv2D",
    "squeeze-and-excitation": r"_se_",
    "dense products": r":.*MatMul",
    "everything else": r"",
}


def peak(short):
    """Multiply-adds a second of a product of square matrices."""
    matrix = tf.random.normal((SIDE, SIDE))
    seconds = interleaved_medians({"product": lambda: tf.linalg.matmul(matrix, matrix).numpy()}, short=short)["product"]
    return SIDE**3 / seconds


def milliseconds_of_operations(step):
    """Milliseconds of a step by operation, each `name:kind`, in TensorFlow's profile of some steps."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder, options):
            for _ in range(STEPS):
                step()
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    spent = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                # Other events are those of the executor, which last as long as the operations in them.
                if re.fullmatch(r"[^\s:]+:\w+", name):
                    spent[name] += event.duration_ps / 1e9 / STEPS
    return spent


def group_of(operation):
    """What an operation is for."""
    return next(group for group, pattern in GROUPS.items() if re.search(pattern, operation))


def main():
    """Measures, prints, writes."""
    short = options(__doc__).parse_args().short
    product = peak(short)
    rows = []
    for name, image_size in NETWORKS:
        model = build(name, image_size)
        for mode, (make, inferences) in MODES.items():
            step = make(model, BATCH)
            seconds = interleaved_medians({name: step}, short=short)[name]
            reached = inferences * BATCH * lk.count_multiply_adds(model) / seconds
            groups = collections.Counter()
            for operation, milliseconds in milliseconds_of_operations(step).items():
                groups[group_of(operation)] += milliseconds
            rows.append(
                {
                    "network": name,
                    "mode": mode,
                    "image_size": image_size,
                    "batch": BATCH,
                    "seconds": f"{seconds:.3f}",
                    "gigamultiply_adds_per_second": f"{reached / 1e9:.1f}",
                    "peak_gigamultiply_adds_per_second": f"{product / 1e9:.1f}",
                    "share_of_peak": f"{reached / product:.3f}",
                    **{f"share of {group}": f"{groups[group] / groups.total():.3f}" for group in GROUPS},
                }
            )
            print(*rows[-1].items(), sep="\n", flush=True)
    write_csv("roofline", rows, short=short)


if __name__ == "__main__":
    main()
