"""Times ResNet-50s with convolutions (C) or lambda layers (L) in each of their four stages, as in the paper.

    python -m benchmarks.hybrids

writes results/hybrids.csv: parameters, multiply-adds, seconds of an inference and of a training step, by turns.
"""

from benchmarks.networks import compare
from benchmarks.timing import options

STAGES = ("CCCC", "CCCL", "CCLL", "CLLL", "LLLL", "LCCC", "LLCC", "LLLC")
SHORT_STAGES = ("CCCC", "CCLL", "LLLL")


def main():
    """Measures, prints, writes."""
    short = options(__doc__).parse_args().short
    variants = {stages: (f"resnet50_{stages.lower()}", {}) for stages in (SHORT_STAGES if short else STAGES)}
    compare("hybrids", variants, "CCCC", short)


if __name__ == "__main__":
    main()
