"""`lambda-zoo evaluate`: a saved model and images with labels in; figures, a table of classes and a picture out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, add_most_pixels
from lambda_keras.zoo.commands.model_option import add_model


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("evaluate", help="measure a saved model on a dataset")
    add_model(parser)
    parser.add_argument(
        "--data", help="folder of class folders, CSV (path, label, split), or dataset name (default: as trained)"
    )
    parser.add_argument("--data-dir", help="of a dataset name, or of the images it was trained on: as for train")
    parser.add_argument(
        "--split",
        choices=("train", "validation", "test"),
        default="test",
        help="part; of a folder or CSV without parts all images are taken (default: test)",
    )
    parser.add_argument("--image-size", type=int, metavar="N", help="side in pixels (default: as trained)")
    parser.add_argument("--evaluation-crop", type=float, metavar="X", help="share of the side (default: as trained)")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="images at a time (default: 64)")
    parser.add_argument("--out", metavar="FOLDER", help="folder to write (default: evaluation/ beside the model)")
    add_most_pixels(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.evaluation.run import evaluate

    evaluate(
        arguments.model,
        data=arguments.data,
        data_dir=arguments.data_dir,
        split=arguments.split,
        image_size=arguments.image_size,
        evaluation_crop=arguments.evaluation_crop,
        batch_size=arguments.batch_size,
        out=arguments.out,
        weights=arguments.weights,
        most_pixels=arguments.most_pixels,
    )
