"""`lambda-zoo detect predict`: a detector and pictures in; their objects drawn and in COCO's format out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, add_most_pixels
from lambda_keras.zoo.commands.detector_option import add_detector


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("predict", help="find objects in pictures, and draw them")
    add_detector(parser)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="JPEG, PNG, BMP, GIF or WebP file")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument(
        "--score", type=float, default=0.5, metavar="X", help="the lowest that is printed and drawn (default: 0.5)"
    )
    add_most_pixels(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.detection.predict import predict

    predict(arguments.model, arguments.pictures, arguments.out, arguments.score, arguments.most_pixels)
