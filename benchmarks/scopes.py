"""Times a ResNet-50 of lambda layers by their scope.

    python -m benchmarks.scopes

writes results/scopes.csv: parameters, multiply-adds, seconds of an inference and of a training step, by turns.
"""

from benchmarks.networks import compare

SCOPES = (3, 7, 15, 23, 31, None)


def main():
    """Measures, prints, writes."""
    variants = {str(scope or "global"): ("resnet50_llll", {"scope_size": scope}) for scope in SCOPES}
    compare("scopes", variants, base="23")


if __name__ == "__main__":
    main()
