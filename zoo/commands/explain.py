"""`lambda-zoo explain`: what a model with lambda layers looked at, as a picture."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, add_most_pixels
from lambda_keras.zoo.commands.images_argument import add_images
from lambda_keras.zoo.commands.model_option import add_model
from lambda_keras.zoo.data.files import image_files


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("explain", help="draw what a lambda layer sees in images")
    add_model(parser)
    add_images(parser)
    parser.add_argument("--layer", metavar="NAME", help="a lambda layer (default: the last one)")
    parser.add_argument("--query", type=_position, metavar="Y,X", help="position in its map (default: five places)")
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="of Grad-CAM (default: the most probable)")
    parser.add_argument("--out", default="explanation.png", metavar="FILE", help="file (default: explanation.png)")
    add_most_pixels(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _position(text):
    try:
        y, x = map(int, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected two integers such as 4,4, got {text}") from error
    return y, x


def _run(arguments):
    # Before what follows loads TensorFlow, and then the model.
    files = image_files.find(arguments.images)
    from lambda_keras.zoo.explaining.explanation import explain

    explain(
        arguments.model,
        files,
        layer=arguments.layer,
        query=arguments.query,
        class_name=arguments.class_name,
        out=arguments.out,
        weights=arguments.weights,
        most_pixels=arguments.most_pixels,
    )
