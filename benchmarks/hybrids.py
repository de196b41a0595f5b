"""Times ResNet-50s with convolutions (C) or lambda layers (L) in each of their four stages, as in the paper.

    python -m benchmarks.hybrids

writes results/hybrids.csv: parameters, multiply-adds, seconds of an inference and of a training step, by turns.
"""

from benchmarks.networks import compare
from benchmarks.timing import write_csv

STAGES = ("CCCC", "CCCL", "CCLL", "CLLL", "LLLL", "LCCC", "LLCC", "LLLC")


def main():
    """Measures, prints, writes."""
    variants = {stages: (f"resnet50_{stages.lower()}", {}) for stages in STAGES}
    rows = compare(variants, image_size=224, batch=4, base="CCCC")
    for row in rows:
        print(*row.values(), sep="\t")
    write_csv("hybrids", rows)


if __name__ == "__main__":
    main()
