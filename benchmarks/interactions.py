"""Memory and throughput of a ResNet-50 by the layer in the place of its 3×3 convolutions, as in the paper's table.

    python -m benchmarks.interactions

writes results/interactions.csv: what the maps of interactions take by their formula, at the paper's batch of 128; the
figures of the paper, where it has one; by how much the peak of a process that trains a step on a smaller batch is above
that of one that only builds the network; and seconds of a training step on this batch, by turns.
"""

import subprocess
import sys

from benchmarks.networks import IMAGE_SIZE, SHORT_IMAGE_SIZE, build, training_step
from benchmarks.process_memory import PEAK, memory
from benchmarks.timing import interleaved_medians, options, write_csv

NETWORK = "resnet50_llll"
BATCH = 2
PAPER_BATCH = 128
# Side of the map and layers of each stage, at 224 pixels.
STAGES = ((56, 3), (28, 4), (14, 6), (7, 3))
HEADS = 8  # As in the works that the paper compares with.
ATTENTION = {"num_heads": HEADS, "key_dim": None, "normalize_lambda": True}
VARIANTS = {
    "global self-attention": {"interaction": "global", "scope_size": None, **ATTENTION},
    "axial self-attention": {"interaction": "axial", "scope_size": None, **ATTENTION},
    "local self-attention, 7×7": {"interaction": "local", "scope_size": 7, **ATTENTION},
    "lambda": {"scope_size": None},
    "lambda, key depth 8": {"scope_size": None, "key_dim": 8},
    "lambda, shared embeddings": {"scope_size": None, "share_position_embeddings": True},
    "lambda convolution, 7×7": {"scope_size": 7},
}
SHORT_VARIANTS = ("global self-attention", "lambda", "lambda convolution, 7×7")
# GiB of the maps, and images a second of 8 TPUv3 cores.
PAPER = {
    "global self-attention": (120, None),
    "axial self-attention": (4.8, 960),
    "local self-attention, 7×7": (None, 440),
    "lambda": (1.9, 1160),
    "lambda, key depth 8": (0.95, 1640),
    "lambda, shared embeddings": (0.63, 1210),
    "lambda convolution, 7×7": (None, 1100),
}


def map_gibibytes(fields):
    """What the maps take in float32: b·h·n·m numbers of attention, k·n·m of lambda layers, whatever the batch.

    A lambda convolution has no map: the same embeddings serve all queries.
    """
    numbers = 0
    for side, layers in STAGES:
        positions = side**2
        if fields.get("interaction") is None:
            if fields["scope_size"] is None:
                tables = 1 if fields.get("share_position_embeddings") else layers
                numbers += tables * fields.get("key_dim", 16) * positions**2
            continue
        context = {"global": positions, "axial": 2 * side, "local": 7**2}[fields["interaction"]]
        numbers += layers * PAPER_BATCH * HEADS * positions * context
    return 4 * numbers / 2**30


def build_variant(label, short):
    """The network with one of the layers of `VARIANTS`, in the short form for smaller images."""
    return build(NETWORK, SHORT_IMAGE_SIZE if short else IMAGE_SIZE, **VARIANTS[label])


def run_alone(label, short):
    """Prints by how many bytes a training step raises the peak of this process."""
    model = build_variant(label, short)
    step = training_step(model, BATCH)
    before = memory(PEAK)
    step()
    print(memory(PEAK) - before)


def peak_of(label, short):
    """The same, of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.interactions", "--alone", label, *(["--short"] if short else [])]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main():
    """Measures, prints, writes."""
    parser = options(__doc__)
    parser.add_argument("--alone", choices=VARIANTS, help="measure the memory of one variant in this process")
    arguments = parser.parse_args()
    short = arguments.short
    if arguments.alone:
        run_alone(arguments.alone, short)
        return
    labels = SHORT_VARIANTS if short else VARIANTS
    peaks = {label: peak_of(label, short) for label in labels}
    models = {label: build_variant(label, short) for label in labels}
    steps = {label: training_step(model, BATCH) for label, model in models.items()}
    seconds = interleaved_medians(steps, rounds=5, short=short)
    rows = []
    for label in labels:
        gibibytes, images_per_second = PAPER[label]
        formula = map_gibibytes(VARIANTS[label])
        rows.append(
            {
                "layer": label,
                "formula_gibibytes_of_128": f"{formula:.2f}" if formula else "",
                "paper_gibibytes_of_128": gibibytes or "",
                "paper_images_per_second": images_per_second or "",
                "image_size": models[label].input_shape[1],
                "batch": BATCH,
                "peak_megabytes": f"{peaks[label] / 1e6:.0f}",
                "seconds": f"{seconds[label]:.3f}",
                "throughput_ratio_to_lambda": f"{seconds['lambda'] / seconds[label]:.2f}",
            }
        )
        print(*rows[-1].values(), sep="\t", flush=True)
    write_csv("interactions", rows, short=short)


if __name__ == "__main__":
    main()
