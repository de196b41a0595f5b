"""`lambda-zoo predict`: a saved model and image files in, the most probable classes out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, add_most_pixels, say_json
from lambda_keras.zoo.commands.model_option import add_model


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("predict", help="name what is on images")
    add_model(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="JPEG, PNG, BMP, GIF or WebP file")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes for each image (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_most_pixels(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.evaluation.prediction import predict, print_predictions

    predictions = predict(arguments.model, arguments.images, arguments.top, arguments.weights, arguments.most_pixels)
    if arguments.json:
        say_json(predictions)
    else:
        print_predictions(predictions)
