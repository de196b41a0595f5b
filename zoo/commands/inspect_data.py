"""`lambda-zoo inspect-data`: what a recipe's data are, and how its training images look."""

import argparse

from lambda_keras.zoo.command_line import add_common_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("inspect-data", help="say what a recipe's data are, draw training images")
    parser.add_argument("--recipe", required=True, help="as for train")
    parser.add_argument("--data-dir", help="as for train")
    parser.add_argument("--out", default="data.png", metavar="FILE", help="file to write (default: data.png)")
    add_common_options(parser)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.randaugment_layers=2")
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo import recipe_file

    recipe = recipe_file.load(arguments.recipe, arguments.overrides)
    from lambda_keras.zoo.data.inspection import inspect_data

    inspect_data(recipe, arguments.out, arguments.data_dir)
