"""What `lambda-export verify` prints: how far artifacts are from their model, what they cost, and by what it judges."""

import math
from pathlib import Path

from lambda_keras.export.checks.artifact import TFLITE, THREADS, Artifact, size
from lambda_keras.export.checks.verification import Comparison, Cost, Verification
from lambda_keras.export.tflite.delegation import operations_outside_xnnpack
from lambda_keras.zoo.command_line import print_table, say

LOAD_AND_LATENCY = (
    "load: from the file to a first answer, without importing the runtime, which its first artifact starts; "
    "latency: of a batch, the median of {rounds} rounds in which all took turns."
)


def print_report(model_name: str, images: int, artifacts: list[Artifact], verification: Verification) -> None:
    """Prints two tables, each with a row for the model and for each artifact, and what they mean.

    Args:
        model_name: Where the model was found.
        images: How many images were compared.
        artifacts: Those of the verification.
        verification: What `lambda_keras.export.checks.verification.verify` returned.
    """
    print_comparisons(model_name, verification.accuracy, artifacts, verification.comparisons)
    print()
    print_costs(model_name, artifacts, verification.costs)
    print()
    print(f"{images} images; artifacts ran in fresh processes without keras and lambda_keras, one for each runtime.")
    print(LOAD_AND_LATENCY.format(rounds=verification.rounds))
    if any(artifact.kind == TFLITE for artifact in artifacts):
        print(THREADS)
    for artifact in artifacts:
        if artifact.kind == TFLITE:
            outside = operations_outside_xnnpack(artifact.path)
            counts = ", ".join(f"{count} {name}" for name, count in outside.items()) or "none"
            say(f"operations outside XNNPACK in {artifact}: {counts}")
    if images < (needed := math.ceil(1 / min(artifact.bounds.accuracy_loss for artifact in artifacts))):
        print(
            f"{images} images are too few to see such a loss of accuracy: one is {100 / images:.2g} points; give at "
            f"least {needed} with --data"
        )
    # Each kind once, in the order of the table.
    for bounds in dict.fromkeys(artifact.bounds for artifact in artifacts):
        print(bounds)


def print_comparisons(model_name: str, accuracy: float, artifacts: list[Artifact], results: list[Comparison]) -> None:
    """Prints the differences and the verdict.

    Args:
        model_name: Where the model was found.
        accuracy: The model's, 0..1.
        artifacts: What was compared with it.
        results: One for each artifact.
    """
    header = "artifact", "largest difference", "mean difference", "top-1 agreement", "accuracy", "verdict"
    rows = [(model_name, "-", "-", "-", f"{accuracy:.2%}", "-")]
    for artifact, result in zip(artifacts, results, strict=True):
        differences = f"{result.largest_difference:.1e}", f"{result.mean_difference:.1e}"
        shares = f"{result.agreement:.2%}", f"{result.accuracy:.2%}"
        verdict = "pass" if result.passes(artifact.bounds) else "FAIL"
        rows.append((str(artifact), *differences, *shares, verdict))
    print_table(header, rows, right=range(1, len(header)))


def print_costs(model_name: str, artifacts: list[Artifact], costs: list[Cost]) -> None:
    """Prints sizes and times.

    Args:
        model_name: Where the model was found; what has no file, such as a registered model, has no size.
        artifacts: What was measured beside it.
        costs: The model's, then one for each artifact.
    """
    header = "artifact", "size", "load", "batch", "latency"
    names = [model_name, *map(str, artifacts)]
    paths = [Path(model_name), *(artifact.path for artifact in artifacts)]
    rows = [
        (
            name,
            size(path) if path.exists() else "-",
            f"{cost.load_seconds * 1e3:.0f} ms",
            str(cost.batch_size),
            f"{cost.latency_seconds * 1e3:.2f} ms",
        )
        for name, path, cost in zip(names, paths, costs, strict=True)
    ]
    print_table(header, rows, right=range(1, len(header)))
