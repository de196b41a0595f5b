"""`lambda-zoo detect predict`: a detector and pictures in; their objects drawn and in COCO's format out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, add_most_pixels
from lambda_keras.zoo.commands.detector_option import add_detector
from lambda_keras.zoo.commands.images_argument import add_images
from lambda_keras.zoo.data.files import image_files


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("predict", help="find objects in pictures, and draw them")
    add_detector(parser)
    add_images(parser)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument(
        "--score", type=float, default=0.5, metavar="X", help="the lowest that is printed and drawn (default: 0.5)"
    )
    add_most_pixels(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    # Before what follows loads TensorFlow, and then the model.
    files = image_files.find(arguments.images)
    from lambda_keras.zoo.detection.predict import predict

    unread = predict(arguments.model, files, arguments.out, arguments.score, arguments.most_pixels)
    return 1 if unread else 0
