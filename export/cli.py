"""The command `lambda-export`; each of its commands is a file in `commands/`."""

import argparse
import signal
from collections.abc import Sequence

from lambda_keras.export.commands import COMMANDS
from lambda_keras.zoo.command_line import Parser, add_program_options, run, set_verbosity


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: The arguments after the program's name; by default those of the process.

    Returns:
        The exit status: 0 done, 1 an artifact differs from its model, 2 bad input (one line on stderr), 130 after
        Ctrl-C. SIGTERM ends the process with 143 and leaves nothing half written.
    """

    def command() -> int:
        options = _parser().parse_args(argv)
        set_verbosity(options)
        return options.run(options)

    handler = signal.signal(signal.SIGTERM, _end)
    try:
        return run("lambda-export", command)
    finally:
        signal.signal(signal.SIGTERM, handler)


def _end(number, frame):
    """Ends as SIGTERM does, but by an exception, so that what is half written is removed."""
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="lambda-export", description="Writes artifacts of a trained model and compares them with it.")
    add_program_options(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
