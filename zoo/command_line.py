"""What the commands of this project share: how they parse, and how they end on a user's error."""

import argparse
import os
import signal
import sys

from lambda_keras.zoo.errors import TryAgainError, UserError
from lambda_keras.zoo.extras import missing_extra


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are a `UserError`, so that they end as all others do."""

    def error(self, message):
        """Raises what `argparse` would print together with the usage."""
        raise UserError(f"{message} (see {self.prog} --help)")


def run(program, command):
    """Runs a command; what is not a bug becomes one line on stderr.

    Args:
        program: The name to put before the line.
        command: A function without arguments that returns an exit status, or `None` for 0.

    Returns:
        The exit status: the command's; 2 after a line about what the user can put right, such as an extra that is not
        installed; 75 (`EX_TEMPFAIL`) where the same command goes on; 130 after Ctrl-C, which a training takes for
        itself; 141, as of a process that SIGPIPE ends, where the reader of our output, such as `head`, has gone. Any
        other exception is a bug of ours and keeps its traceback.
    """
    try:
        status = command() or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # What is still in the buffer would be written, and fail, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    except (UserError, TryAgainError) as error:
        print(f"{program}:", " ".join(str(error).split()), file=sys.stderr)
        return os.EX_TEMPFAIL if isinstance(error, TryAgainError) else 2
    except ModuleNotFoundError as error:
        # The extra of `lambda-zoo` is zoo, that of `lambda-export` is export.
        extra = missing_extra(error.name, preferred=program.removeprefix("lambda-"))
        if extra is None:
            raise
        print(
            f"{program}: this needs the extra {extra}: pip install 'lambda-keras[{extra}]' ({error})", file=sys.stderr
        )
        return 2


def print_table(header, rows, right=()):
    """Prints rows of strings in columns below their header.

    Args:
        header: The names of the columns.
        rows: Sequences of strings, one for each column.
        right: Indices of the columns that are flush right, such as those of numbers.
    """
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    for row in (header, tuple("-" * width for width in widths), *rows):
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
