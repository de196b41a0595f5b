"""What `lambda-export verify` prints of a detector."""

from collections.abc import Sequence

from lambda_keras.export.checks.artifact import TFLITE, THREADS, Artifact
from lambda_keras.export.checks.report import LOAD_AND_LATENCY, print_costs
from lambda_keras.export.detection.verification import SAVED_MODEL_BOUNDS, TFLITE_BOUNDS, Verification, bounds_of
from lambda_keras.zoo.command_line import print_table

HEADER = ("artifact", "objects", "found by one alone", "box, pixels", "score", "mask", "verdict")


def print_report(model_name: str, artifacts: Sequence[Artifact], verification: Verification) -> None:
    """Prints two tables, each with a row for the detector and for each artifact, and what they mean.

    Args:
        model_name: Where the detector was found.
        artifacts: Those of the verification.
        verification: What `lambda_keras.export.detection.verification.verify` returned.
    """
    rows: list[tuple[str, ...]] = [(model_name, f"{verification.objects:,}", "-", "-", "-", "-", "-")]
    for artifact, result in zip(artifacts, verification.comparisons, strict=True):
        differences = ("-" if value is None else f"{value:.1e}" for value in (result.box, result.score, result.mask))
        verdict = "pass" if result.passes(bounds_of(artifact)) else "FAIL"
        rows.append((str(artifact), f"{result.objects:,}", f"{result.alone:,}", *differences, verdict))
    print_table(HEADER, rows, right=range(1, len(HEADER)))
    print()
    print_costs(model_name, list(artifacts), verification.costs)
    print()
    unreadable = f", {verification.unreadable:,} more cannot be decoded" if verification.unreadable else ""
    print(
        f"{verification.pictures:,} pictures{unreadable}; artifacts ran in fresh processes without keras and "
        "lambda_keras, one for each runtime."
    )
    print(LOAD_AND_LATENCY.format(rounds=verification.rounds))
    if any(artifact.kind == TFLITE for artifact in artifacts):
        print(f"{THREADS} It is given pictures that are decoded and resized.")
    print(
        "Each object is compared with the nearest of its class; bounds: none found by one alone, "
        f"{SAVED_MODEL_BOUNDS.box:g} pixels, in a TFLite file {TFLITE_BOUNDS.box:g}, {SAVED_MODEL_BOUNDS.score:g} in a "
        f"score and {SAVED_MODEL_BOUNDS.mask:g} in a mask."
    )
