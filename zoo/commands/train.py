"""`lambda-zoo train`: a recipe in, a run folder out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, is_quiet, say
from lambda_keras.zoo.commands.training_options import add_dry_run, add_recipe, add_run, out_of, strategy_of


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("train", help="train a recipe's model and evaluate it on the test split")
    add_recipe(parser)
    parser.add_argument(
        "--data-dir", help="folder of the images or of prepared TensorFlow Datasets (digits needs none)"
    )
    add_run(parser)
    add_dry_run(parser)
    add_common_options(parser)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.epochs=3")
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo import recipe_file

    recipe = recipe_file.load(arguments.recipe, arguments.overrides)
    if arguments.dry_run:
        from lambda_keras.zoo.training.dry_run import dry_run

        say(dry_run(recipe, arguments.data_dir, arguments.replicas))
        return
    distribution = strategy_of(arguments)
    from lambda_keras.zoo.training.run import train
    from lambda_keras.zoo.training.strategy import is_chief

    out, verbose = out_of(arguments), not is_quiet()
    accuracy = train(recipe, out, arguments.data_dir, distribution, overwrite=arguments.overwrite, verbose=verbose)
    if is_quiet() and is_chief(distribution):
        print(f"Test accuracy {accuracy:.2%}")
