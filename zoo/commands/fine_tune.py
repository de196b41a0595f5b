"""`lambda-zoo fine-tune`: pictures in class folders in; a model, and a report on how well it does, out."""

import argparse
import dataclasses

from lambda_keras.zoo.command_line import add_common_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser(
        "fine-tune", help="train a model with known weights on your own pictures, with a report"
    )
    parser.add_argument(
        "--data", required=True, help="folder of class folders, CSV (path, label, split), or dataset name"
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="a name of `lambda-zoo models`")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write; resumes the run that it holds")
    parser.add_argument(
        "--weights", help="to start from: a tag, a path, hf://owner/repository, or none for random (default: imagenet)"
    )
    parser.add_argument(
        "--warm-start", choices=("resnet_rs",), help="instead of --weights: ResNet-RS of the same depth"
    )
    parser.add_argument("--data-dir", help="of a dataset name: as for train")
    parser.add_argument("--colour", action="store_true", help="read colour where the weights are for grey images")
    parser.add_argument("--class-weights", action="store_true", help="let all classes count alike in the loss")
    parser.add_argument("--head-epochs", type=int, metavar="N", help="epochs of the classifier alone, 0 for none")
    parser.add_argument("--epochs", type=int, metavar="N", help="epochs of all layers (default: by number of images)")
    parser.add_argument("--budget", type=float, metavar="MINUTES", help="take so few epochs that they fit this time")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of split and training (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="remove the run that the folder holds, start anew")
    add_common_options(parser)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.horizontal_flip=false")
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.fine_tuning.published import fetch_published
    from lambda_keras.zoo.fine_tuning.settings import Settings

    values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(Settings)}
    settings = Settings(**{**values, "overrides": tuple(arguments.overrides)})
    # Before what follows loads TensorFlow, and then reads the pictures.
    fetch_published(settings.start_reference)
    from lambda_keras.zoo.fine_tuning.run import fine_tune

    fine_tune(settings)
