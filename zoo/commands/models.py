"""`lambda-zoo models`: the models that `lambda_keras.create_model` makes, and their weights, as a table."""

import argparse

from lambda_keras.zoo.command_line import add_common_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("models", help="list the models and the weights that there are of them")
    parser.add_argument("pattern", nargs="?", default="*", help="such as 'lambda_*' (default: all)")
    parser.add_argument("--pretrained", action="store_true", help="only models with published weights")
    add_common_options(parser, takes_a_while=False)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.weights.models_table import print_models

    print_models(arguments.pattern, arguments.pretrained)
