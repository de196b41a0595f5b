"""The command `lambda-zoo`; each of its commands is a file in `commands/`."""

from collections.abc import Sequence

from lambda_keras.zoo.command_line import Parser, add_program_options, run, set_verbosity
from lambda_keras.zoo.commands import COMMANDS


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command of `lambda-zoo`.

    Args:
        argv: The arguments; those of the process by default.

    Returns:
        The exit status: 0; 1 where `weights verify` found bad weights, or `predict` a file that it cannot read; 2 after
        a line on stderr about what the user can correct; 75 where the same command resumes a training that was stopped.

    Example:
        >>> status = main(["recipes"])
    """

    def command():
        arguments = _parse(argv)
        set_verbosity(arguments)
        return arguments.run(arguments)

    return run("lambda-zoo", command)


def _parse(argv):
    parser = _parser()
    arguments, others = parser.parse_known_args(argv)
    # argparse takes only the first group of key=value arguments; an option may stand between two groups.
    if hasattr(arguments, "overrides"):
        arguments.overrides += [other for other in others if not other.startswith("-")]
        others = [other for other in others if other.startswith("-")]
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    return arguments


def _parser():
    parser = Parser(prog="lambda-zoo", description="Trains lambda networks from recipes, evaluates them, predicts.")
    add_program_options(parser)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
