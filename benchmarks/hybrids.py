"""Times ResNet-50s with convolutions (C) or lambda layers (L) in each of their four stages, as in the paper.

    python -m benchmarks.hybrids

writes results/hybrids.csv: parameters, multiply-adds, seconds of an inference and of a training step, by turns.
"""

from benchmarks.networks import compare

STAGES = ("CCCC", "CCCL", "CCLL", "CLLL", "LLLL", "LCCC", "LLCC", "LLLC")


def main():
    """Measures, prints, writes."""
    compare("hybrids", {stages: (f"resnet50_{stages.lower()}", {}) for stages in STAGES}, base="CCCC")


if __name__ == "__main__":
    main()
