"""`lambda-export detector`: a trained detector as a SavedModel, for servers, or as a TFLite file, for devices."""

import argparse
from pathlib import Path

from lambda_keras.zoo.command_line import add_common_options, add_most_pixels, say
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("detector", help="write a detector as a SavedModel or a TFLite file")
    parser.add_argument(
        "--model",
        required=True,
        metavar="MODEL",
        help="folder of `lambda-zoo detect train`, or .keras file with record.json beside it",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR|FILE.tflite",
        help="gets DIR/<next number>/, a SavedModel; or the TFLite file to write",
    )
    add_most_pixels(parser, MOST_SERVED_PIXELS, "for detect_bytes")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from lambda_keras.export.detection.tflite import export_tflite
    from lambda_keras.export.detection.writer import export_saved_model
    from lambda_keras.zoo.detection.loading import load

    detector = load(options.model)
    if options.out.suffix == ".tflite":
        written = export_tflite(detector, options.out)
    else:
        written = export_saved_model(detector, options.out, options.most_pixels)
    say(f"wrote {written}")
    return 0
