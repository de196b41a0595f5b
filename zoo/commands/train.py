"""`lambda-zoo train`: a recipe in, a run folder out."""

import argparse
from pathlib import Path

from lambda_keras.zoo.command_line import add_common_options, is_quiet, say


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("train", help="train a recipe's model and evaluate it on the test split")
    parser.add_argument("--recipe", required=True, help="name from `lambda-zoo recipes`, or path of a .yaml file")
    parser.add_argument("--out", help="folder to write (default: runs/<recipe>); resumes the run that it holds")
    parser.add_argument(
        "--data-dir", help="folder of the images or of prepared TensorFlow Datasets (digits needs none)"
    )
    parser.add_argument("--strategy", default="default", help="default, mirrored, multi_worker or tpu")
    parser.add_argument("--tpu", help="with --strategy tpu: name or address of the TPU, or local")
    parser.add_argument("--overwrite", action="store_true", help="remove the run that the folder holds, start anew")
    parser.add_argument("--dry-run", action="store_true", help="print size, steps and memory of the training, and end")
    parser.add_argument("--replicas", type=int, default=1, help="with --dry-run: devices to share a batch (default: 1)")
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
    # The strategy of several machines must be there before TensorFlow does anything else.
    from lambda_keras.zoo.training import strategy

    distribution = strategy.create(arguments.strategy, arguments.tpu)
    from lambda_keras.zoo.training.run import train

    out = arguments.out or Path("runs", Path(arguments.recipe).stem)
    accuracy = train(
        recipe, out, arguments.data_dir, distribution, overwrite=arguments.overwrite, verbose=not is_quiet()
    )
    if is_quiet() and strategy.is_chief(distribution):
        print(f"Test accuracy {accuracy:.2%}")
