"""`lambda-zoo predict`: a saved model and image files in, the most probable classes out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, add_most_pixels, say_json
from lambda_keras.zoo.commands.images_argument import add_images
from lambda_keras.zoo.commands.model_option import add_model
from lambda_keras.zoo.data.files import image_files


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("predict", help="name what is on images")
    add_model(parser)
    add_images(parser)
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes for each image (default: 5)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of a table")
    form.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    add_most_pixels(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    # Before what follows loads TensorFlow, and then the model.
    files = image_files.find(arguments.images)
    from lambda_keras.zoo.evaluation.prediction import predict, print_csv, print_predictions

    predictions = predict(arguments.model, files, arguments.top, arguments.weights, arguments.most_pixels)
    printed = say_json if arguments.json else print_csv if arguments.csv else print_predictions
    printed(predictions)
    return 1 if any("problem" in prediction for prediction in predictions) else 0
