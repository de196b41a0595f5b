"""`lambda-zoo detect evaluate`: a detector and pictures with objects in; COCO's figures out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, add_most_pixels
from lambda_keras.zoo.commands.detection_data import add_data
from lambda_keras.zoo.commands.detector_option import add_detector


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("evaluate", help="measure a detector: AP of boxes and masks")
    add_detector(parser)
    add_data(parser, part="val")
    parser.add_argument("--batch-size", type=int, default=4, metavar="N", help="pictures at a time (default: 4)")
    parser.add_argument("--out", metavar="FOLDER", help="folder to write (default: evaluation/ beside the model)")
    add_most_pixels(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.detection.evaluate import evaluate

    evaluate(
        arguments.model,
        arguments.data,
        part=arguments.part,
        images=arguments.images,
        data_dir=arguments.data_dir,
        batch_size=arguments.batch_size,
        out=arguments.out,
        most_pixels=arguments.most_pixels,
    )
