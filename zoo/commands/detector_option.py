"""The argument by which commands are given a detector."""

import argparse


def add_detector(parser: argparse.ArgumentParser) -> None:
    """Adds `MODEL`, which `lambda_keras.zoo.detection.loading.load` takes."""
    parser.add_argument(
        "model", metavar="MODEL", help="folder of `lambda-zoo detect train`, or .keras file with record.json beside it"
    )
