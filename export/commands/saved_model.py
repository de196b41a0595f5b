"""`lambda-export saved-model`: a trained model as a SavedModel, for servers."""

import argparse
from pathlib import Path

from lambda_keras.export.commands.options import add_form, add_model
from lambda_keras.zoo.command_line import add_common_options, add_most_pixels, say
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("saved-model", help="write a SavedModel, for servers")
    add_model(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets DIR/<next number>/")
    parser.add_argument("--features", action="store_true", help="offer the embedding and the stages' maps too")
    add_form(parser)
    parser.add_argument("--freeze", action="store_true", help="write the weights as constants of the graph")
    parser.add_argument("--warmup", type=int, metavar="N", help="add N requests of each signature to start with")
    add_most_pixels(parser, MOST_SERVED_PIXELS, "for classify_bytes")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from lambda_keras.export.model import load_to_serve
    from lambda_keras.export.saved_model.writer import export_saved_model
    from lambda_keras.zoo.models.model_source import find

    source = find(options.model, options.weights)
    model, record = load_to_serve(source, options.image_size, options.fuse)
    version = export_saved_model(
        model,
        options.out,
        record,
        source,
        features=options.features,
        freeze=options.freeze,
        warmup=options.warmup,
        most_pixels=options.most_pixels,
    )
    say(f"wrote {version}")
    return 0
