"""Times a ResNet-50 of lambda layers by their scope.

    python -m benchmarks.scopes

writes results/scopes.csv: parameters, multiply-adds, seconds of an inference and of a training step, by turns.
"""

from benchmarks.networks import compare
from benchmarks.timing import options

SCOPES = (3, 7, 15, 23, 31, None)
SHORT_SCOPES = (7, 23)


def main():
    """Measures, prints, writes."""
    short = options(__doc__).parse_args().short
    scopes = SHORT_SCOPES if short else SCOPES
    variants = {str(scope or "global"): ("resnet50_llll", {"scope_size": scope}) for scope in scopes}
    compare("scopes", variants, "23", short)


if __name__ == "__main__":
    main()
