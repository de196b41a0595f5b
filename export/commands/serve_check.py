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
    parser.add_argument("--write", type=Path, metavar="DIR", help="write the files there instead of printing them")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from lambda_keras.export.serving.check import serve_check
    from lambda_keras.export.serving.instructions import commands, instructions, write_files
    from lambda_keras.export.serving.service import find_service

    service = find_service(options.folder, options.name, options.image)
    say(commands(service) if options.write else instructions(service))
    result = serve_check(service)
    say(f"# Checked here with {service.versions[-1]}, without TensorFlow Serving\n\n{result}")
    if not result.agrees():
        return 1
    if options.write:
        for path in write_files(service, options.write):
            say(f"wrote {path}")
    return 0
