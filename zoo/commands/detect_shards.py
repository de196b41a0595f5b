"""`lambda-zoo detect shards`: pictures with objects as TFRecord files."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, narrate, positive, say
from lambda_keras.zoo.commands.detection_data import add_data


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("shards", help="write pictures with objects as TFRecord files, for large data")
    add_data(parser, part="train")
    parser.add_argument("--boxes-only", action="store_true", help="leave out the masks")
    parser.add_argument("--shards", type=positive, default=32, metavar="N", help="how many files (default: 32)")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write, such as shards/train")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.detection.data import catalog, shards

    part = catalog.load(arguments.data, arguments.part, not arguments.boxes_only, arguments.images, arguments.data_dir)
    shards.write(part, arguments.out, arguments.shards)
    for line in part.lines():
        say(line)
    narrate(f"Wrote {arguments.out}")
