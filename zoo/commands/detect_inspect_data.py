"""`lambda-zoo detect inspect-data`: what pictures with objects there are, and how training images look."""

import argparse

from lambda_keras.zoo.command_line import add_common_options
from lambda_keras.zoo.commands.detection_data import add_data


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("inspect-data", help="say what data are, draw training images with their objects")
    add_data(parser, part="train")
    parser.add_argument("--boxes-only", action="store_true", help="ask for no masks")
    parser.add_argument("--image-size", type=int, default=320, metavar="N", help="side in pixels (default: 320)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of order and jitter (default: 0)")
    parser.add_argument("--out", default="data.png", metavar="FILE", help="file to write (default: data.png)")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.detection.inspection import inspect_data

    inspect_data(
        arguments.data,
        part=arguments.part,
        images=arguments.images,
        data_dir=arguments.data_dir,
        with_masks=not arguments.boxes_only,
        image_size=arguments.image_size,
        seed=arguments.seed,
        out=arguments.out,
    )
