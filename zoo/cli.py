"""The command `lambda-zoo`."""

import logging
import os
import sys
from pathlib import Path

from zoo.command_line import Parser, run
from zoo.errors import UserError


def main(argv=None):
    """Runs one command of `lambda-zoo`.

    Args:
        argv: The arguments; those of the process by default.

    Returns:
        The exit status: 0, or 2 after a line on stderr about what the user can put right.

    Example:
        >>> status = main(["recipes"])
    """

    def command():
        arguments = _parse(argv)
        arguments.run(arguments)

    return run("lambda-zoo", command)


def _parse(argv):
    parser = _parser()
    arguments, others = parser.parse_known_args(argv)
    # argparse takes only the first group of key=value arguments; an option may stand between two groups.
    if hasattr(arguments, "overrides"):
        arguments.overrides += [other for other in others if not other.startswith("-")]
        others = [other for other in others if other.startswith("-")]
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    return arguments


def _parser():
    parser = Parser(prog="lambda-zoo", description="Trains lambda networks from recipes.")
    commands = parser.add_subparsers(required=True, metavar="command")

    train = commands.add_parser("train", help="train a recipe's model and evaluate it on the test split")
    train.add_argument("--recipe", required=True, help="name from `lambda-zoo recipes`, or path of a .yaml file")
    train.add_argument("--out", help="folder to write (default: runs/<recipe>); replaces an earlier run there")
    train.add_argument("--data-dir", help="folder of prepared TensorFlow Datasets (digits needs none)")
    train.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.epochs=3")
    train.set_defaults(run=_train)

    recipes = commands.add_parser("recipes", help="list the recipes")
    recipes.set_defaults(run=_recipes)

    models = commands.add_parser("models", help="list the models")
    models.add_argument("pattern", nargs="?", default="*", help="such as 'lambda_*' (default: all)")
    models.set_defaults(run=_models)
    return parser


def _train(arguments):
    from zoo import recipe_file

    recipe = recipe_file.load(arguments.recipe, arguments.overrides)
    _quiet_tensorflow()
    from zoo.train import train

    out = arguments.out or Path("runs", Path(arguments.recipe).stem)
    # A progress bar in a file is noise: there, a line an epoch.
    train(recipe, out, arguments.data_dir, verbose=1 if sys.stdout.isatty() else 2)


def _recipes(arguments):
    from zoo import recipe_file

    rows = []
    for name in recipe_file.packaged():
        recipe = recipe_file.load(name)
        rows.append((name, recipe.model.name, recipe.data.name, recipe_file.expected_accuracy(name)))
    _print_table(("recipe", "model", "dataset", "expected test accuracy"), rows)


def _models(arguments):
    _quiet_tensorflow()
    import lambda_keras as lk

    names = lk.list_models(arguments.pattern)
    if not names:
        raise UserError(f"no model matches {arguments.pattern!r}; `lambda-zoo models` lists all")
    print("\n".join(names))


def _quiet_tensorflow():
    """Leaves TensorFlow's remarks about the machine out of the terminal, unless the user asked for them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    logging.getLogger("absl").setLevel(logging.ERROR)


def _print_table(header, rows):
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    for row in (header, tuple("-" * width for width in widths), *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
