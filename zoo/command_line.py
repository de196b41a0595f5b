"""What the commands of this project share: how they parse, and how they end on a user's error."""

import argparse
import sys

from zoo.errors import UserError


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are a `UserError`, so that they end as all others do."""

    def error(self, message):
        """Raises what `argparse` would print together with the usage."""
        raise UserError(f"{message} (see {self.prog} --help)")


def run(program, command):
    """Runs a command; a user's error becomes one line on stderr.

    Args:
        program: The name to put before the line.
        command: A function without arguments that returns an exit status, or `None` for 0.

    Returns:
        The exit status: the command's, or 2 after a line about what the user can put right. Any other exception is
        a bug of ours and keeps its traceback.
    """
    try:
        return command() or 0
    except UserError as error:
        print(f"{program}:", " ".join(str(error).split()), file=sys.stderr)
        return 2
