"""`lambda-zoo weights …`: its actions, each with a module of its own in `lambda_keras.zoo.weights`."""

import argparse
from pathlib import Path

from lambda_keras.zoo.command_line import add_common_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    weights = commands.add_parser("weights", help="fetch, check, show and convert weights")
    actions = weights.add_subparsers(required=True, metavar="action")

    fetch = actions.add_parser("fetch", help="download published weights and check their hash")
    fetch.add_argument("name", metavar="NAME", help="model.tag, model, or hf://owner/repository[@revision]")
    add_common_options(fetch)
    fetch.set_defaults(run=_fetch)

    verify = actions.add_parser("verify", help="check weights that are here: exit status 1 if any are bad")
    verify.add_argument("sources", nargs="+", metavar="SOURCE", help="catalog name, folder of save_pretrained or file")
    add_common_options(verify)
    verify.set_defaults(run=_verify)

    show = actions.add_parser("show", help="print what is known of published weights, or what is in a file")
    show.add_argument("source", metavar="SOURCE", help="catalog name, folder of save_pretrained or file")
    add_common_options(show)
    show.set_defaults(run=_show)

    convert = actions.add_parser("convert", help="write the weights of a model in another format")
    convert.add_argument("--model", required=True, metavar="NAME", help="name from `lambda-zoo models`")
    convert.add_argument("--classes", type=int, metavar="N", help="(default: the model's)")
    convert.add_argument("--image-size", type=int, metavar="N", help="side in pixels (default: the model's)")
    convert.add_argument("--channels", type=int, default=3, metavar="N", help="channels of the images (default: 3)")
    convert.add_argument("--to", choices=("timm",), help="write a .safetensors file that timm loads")
    convert.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    convert.add_argument("source", metavar="SOURCE", help="a tag, a path or hf://…, as `weights` of create_model")
    convert.add_argument(
        "out", type=Path, metavar="OUT", help=".safetensors, .weights.h5 or .keras file, or a folder to share"
    )
    add_common_options(convert)
    convert.set_defaults(run=_convert)


def _fetch(arguments):
    from lambda_keras.zoo.weights.fetch import fetch_and_print

    fetch_and_print(arguments.name)


def _verify(arguments):
    from lambda_keras.zoo.weights.verify import verify

    return verify(arguments.sources)


def _show(arguments):
    from lambda_keras.zoo.weights.show import show

    show(arguments.source)


def _convert(arguments):
    from lambda_keras.zoo.weights.convert import convert

    convert(
        arguments.model,
        arguments.source,
        arguments.out,
        classes=arguments.classes,
        image_size=arguments.image_size,
        channels=arguments.channels,
        to_timm=arguments.to == "timm",
        overwrite=arguments.overwrite,
    )
