"""`lambda-export serve-check`: how to serve a folder of SavedModels, and what it would answer."""

import argparse
from pathlib import Path

from lambda_keras.zoo.command_line import add_common_options, say


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("serve-check", help="print how to serve a folder of SavedModels, and try it")
    parser.add_argument("folder", type=Path, metavar="DIR", help="what --out of saved-model or detector was")
    parser.add_argument("--name", metavar="NAME", help="the model's name on the server (default: the folder's)")
    parser.add_argument("--image", type=Path, metavar="FILE", help="to ask about (default: a generated picture)")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from lambda_keras.export.serving.check import serve_check
    from lambda_keras.export.serving.instructions import instructions
    from lambda_keras.export.serving.service import find_service

    service = find_service(options.folder, options.name, options.image)
    say(instructions(service))
    result = serve_check(service)
    say(f"# Checked here with {service.versions[-1]}, without TensorFlow Serving\n\n{result}")
    return 0 if result.agrees() else 1
