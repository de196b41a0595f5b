"""`lambda-zoo detect …`: objects and masks; each of its actions is a file beside this one."""

import argparse

from lambda_keras.zoo.commands import (
    detect_evaluate,
    detect_inspect_data,
    detect_predict,
    detect_shards,
    detect_stamps,
    detect_train,
)

# In the order of `lambda-zoo detect --help`.
ACTIONS = (detect_train, detect_evaluate, detect_predict, detect_inspect_data, detect_shards, detect_stamps)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("detect", help="find objects and their masks")
    actions = parser.add_subparsers(required=True, metavar="action")
    for action in ACTIONS:
        action.add_parser(actions)
