"""`lambda-zoo detect train`: a recipe and pictures with objects in, a run folder with a detector out."""

import argparse
from pathlib import Path

from lambda_keras.zoo.command_line import add_common_options, is_quiet


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("train", help="train a recipe's detector and evaluate it")
    parser.add_argument("--recipe", required=True, help="name from `lambda-zoo recipes`, or path of a .yaml file")
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="folder as COCO's, of `lambda-zoo detect stamps`, or of shards in train/ and val/; coco/2017, coco/2014",
    )
    parser.add_argument("--data-dir", metavar="FOLDER", help="of coco/2017: of TensorFlow Datasets (default: its own)")
    parser.add_argument("--out", help="folder to write (default: runs/<recipe>); resumes the run that it holds")
    parser.add_argument("--strategy", default="default", help="default, mirrored, multi_worker or tpu")
    parser.add_argument("--tpu", help="with --strategy tpu: name or address of the TPU, or local")
    parser.add_argument("--overwrite", action="store_true", help="remove the run that the folder holds, start anew")
    add_common_options(parser)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.steps=1000")
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo import recipe_file
    from lambda_keras.zoo.detection.recipe import DetectorRecipe

    recipe = recipe_file.load_as(DetectorRecipe, arguments.recipe, arguments.overrides)
    # The strategy of several machines must be there before TensorFlow does anything else.
    from lambda_keras.zoo.training import strategy

    distribution = strategy.create(arguments.strategy, arguments.tpu)
    from lambda_keras.zoo.detection.data import catalog
    from lambda_keras.zoo.detection.run import train

    parts = catalog.load_for_training(arguments.data, recipe.model.masks, arguments.data_dir)
    out = arguments.out or Path("runs", Path(arguments.recipe).stem)
    train(recipe, out, *parts, distribution, overwrite=arguments.overwrite, verbose=not is_quiet())
