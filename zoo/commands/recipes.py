"""`lambda-zoo recipes`: the recipes that come with the package, as a table."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, print_table


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("recipes", help="list the recipes")
    add_common_options(parser, takes_a_while=False)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo import recipe_file
    from lambda_keras.zoo.detection.recipe import DetectorRecipe

    rows = []
    for name in recipe_file.packaged():
        recipe = recipe_file.load(name)
        size, accuracy = str(recipe.data.image_size), recipe_file.expected(name)
        rows.append((name, recipe.model.name, size, recipe.data.name, accuracy))
    print_table(("recipe", "model", "image size", "dataset", "expected test accuracy"), rows, right=(2,))
    detectors = []
    for name in recipe_file.packaged(DetectorRecipe):
        detector = recipe_file.load_as(DetectorRecipe, name)
        size, precision = str(detector.data.image_size), recipe_file.expected(name, DetectorRecipe)
        detectors.append((name, detector.model.backbone, size, precision))
    print()
    print_table(("recipe of a detector", "backbone", "image size", "expected AP"), detectors, right=(2,))
