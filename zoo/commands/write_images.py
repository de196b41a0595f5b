"""`lambda-zoo write-images`: a dataset as a folder of PNG files for each class."""

import argparse

from lambda_keras.zoo.command_line import add_common_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("write-images", help="write a dataset as a folder of PNG files for each class")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="digits, fashion_mnist, …")
    parser.add_argument("--data-dir", help="as for train")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="new or empty folder to write")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.data.class_folders import write_images

    write_images(arguments.dataset, arguments.out, arguments.data_dir)
