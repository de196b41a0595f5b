"""`lambda-export web`: a page that classifies pictures in a browser."""

import argparse
from pathlib import Path

from lambda_keras.zoo.command_line import add_common_options, say


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("web", help="write a page that classifies pictures in a browser")
    parser.add_argument("model", type=Path, metavar="FILE.tflite", help="as `tflite --batch 1` writes it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from lambda_keras.export.web.page import write_web_page

    page = write_web_page(options.model, options.out)
    say(f"wrote {page}; to look at it: python -m http.server --directory {page}")
    return 0
