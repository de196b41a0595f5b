"""Times a ResNet-50 of lambda layers by their scope.

    python -m benchmarks.scopes

writes results/scopes.csv: parameters, multiply-adds, seconds of an inference and of a training step, by turns.
"""

from benchmarks.networks import compare
from benchmarks.timing import write_csv

SCOPES = (3, 7, 15, 23, 31, None)


def main():
    """Measures, prints, writes."""
    variants = {str(scope or "global"): ("resnet50_llll", {"scope_size": scope}) for scope in SCOPES}
    rows = compare(variants, image_size=224, batch=4, base="23")
    for row in rows:
        print(*row.values(), sep="\t")
    write_csv("scopes", rows)


if __name__ == "__main__":
    main()
