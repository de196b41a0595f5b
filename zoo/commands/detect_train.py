"""`lambda-zoo detect train`: a recipe and pictures with objects in, a run folder with a detector out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, is_quiet, say
from lambda_keras.zoo.commands.training_options import add_dry_run, add_recipe, add_run, out_of, strategy_of


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("train", help="train a recipe's detector and evaluate it")
    add_recipe(parser)
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="folder as COCO's, of `lambda-zoo detect stamps`, or of shards in train/ and val/; coco/2017, coco/2014",
    )
    parser.add_argument("--data-dir", metavar="FOLDER", help="of coco/2017: of TensorFlow Datasets (default: its own)")
    add_run(parser)
    add_dry_run(parser)
    add_common_options(parser)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.steps=1000")
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo import recipe_file
    from lambda_keras.zoo.detection.recipe import DetectorRecipe

    recipe = recipe_file.load_as(DetectorRecipe, arguments.recipe, arguments.overrides)
    # COCO takes half a minute to load: what cannot be trained is said before.
    if arguments.dry_run:
        from lambda_keras.zoo.training.dry_run import check_replicas

        check_replicas(recipe.training, arguments.replicas)
        from lambda_keras.zoo.detection.data import catalog
        from lambda_keras.zoo.detection.dry_run import dry_run
        from lambda_keras.zoo.detection.task import Parts

        parts = catalog.load_for_training(arguments.data, recipe.model.masks, arguments.data_dir)
        say(dry_run(recipe, Parts(*parts), arguments.replicas))
        return
    distribution = strategy_of(arguments)
    from lambda_keras.zoo.training.session import check_devices

    check_devices(recipe.training, distribution)
    from lambda_keras.zoo.detection.data import catalog
    from lambda_keras.zoo.detection.run import train

    parts = catalog.load_for_training(arguments.data, recipe.model.masks, arguments.data_dir)
    train(recipe, out_of(arguments), *parts, distribution, overwrite=arguments.overwrite, verbose=not is_quiet())
