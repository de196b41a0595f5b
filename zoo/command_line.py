"""What the commands of this project share: how they parse, how much they print, and how they end on a user's error."""

import argparse
import contextlib
import logging
import os
import signal
import sys
import warnings

from lambda_keras.version import __version__
from lambda_keras.weights.errors import WeightsWarning
from lambda_keras.zoo.errors import TryAgainError, UserError
from lambda_keras.zoo.extras import missing_extra

_quiet = False


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are a `UserError`, so that they end as all others do."""

    def error(self, message):
        """Raises what `argparse` would print together with the usage."""
        raise UserError(f"{message} (see {self.prog} --help)")


def add_program_options(parser):
    """Adds what a program takes before a command: `--version` and `--print-completion`.

    Args:
        parser: The program's parser.
    """
    parser.add_argument("--version", action="version", version=f"{parser.prog} {__version__}")
    parser.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=("bash", "zsh", "tcsh"),
        help="print a script that completes commands and options with the Tab key in this shell",
    )


class _PrintCompletion(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        import shtab

        _complete_files(parser, shtab.FILE)
        print(shtab.complete(parser, shell=values))
        parser.exit()


def _complete_files(parser, files):
    """Marks what may be a path: every argument that is neither a number nor one of a few words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, files)
        elif action.nargs != 0 and not action.choices and action.type not in (int, float):
            action.complete = files


def add_common_options(parser):
    """Adds `-q` and `-v`, whose values `set_verbosity` takes.

    Args:
        parser: The parser of a command that takes a while.
    """
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help="print the result alone, no progress")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="print TensorFlow's own remarks too, and where files come from"
    )


def set_verbosity(arguments):
    """Makes the process as talkative as the options of `add_common_options` say; before TensorFlow is imported.

    Args:
        arguments: What a parser returned; commands without these options are as if none was given.
    """
    global _quiet
    _quiet = getattr(arguments, "quiet", False)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if getattr(arguments, "verbose", False):
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
        # Datasets and downloads log the files that they take.
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    else:
        # TensorFlow's C++ side writes a lot to stderr. Users who want to read it set the variable or `--verbose`.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        logging.getLogger("absl").setLevel(logging.ERROR)


def is_quiet():
    """Whether a command prints its result alone."""
    return _quiet


def narrate(text=""):
    """Prints a line on what a command does, which is not its result; nothing with `--quiet`."""
    if not _quiet:
        print(text, flush=True)


def progress_bar(steps, **options):
    """Wraps an iterable so that a terminal shows how far it is; nothing with `--quiet` or in a file.

    Args:
        steps: The iterable.
        **options: Those of `tqdm.tqdm`.
    """
    from tqdm import tqdm

    return tqdm(steps, leave=False, disable=_quiet or None, **options)


def run(program, command):
    """Runs a command; what is not a bug becomes one line on stderr.

    Args:
        program: The name to put before the line.
        command: A function without arguments that returns an exit status, or `None` for 0.

    Returns:
        The exit status: the command's; 2 after a line about what the user can correct, such as an extra that is not
        installed; 75 (`EX_TEMPFAIL`) where the same command resumes; 130 after Ctrl-C, which a training handles
        itself; 141, as for a process that SIGPIPE ends, where the reader of our output, such as `head`, has gone. Any
        other exception is a bug of ours and keeps its traceback.
    """
    try:
        with _warnings_of_weights_as_text():
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


@contextlib.contextmanager
def _warnings_of_weights_as_text():
    """Prints what the library warns of weights on stderr, without the line of code that the user did not write."""
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def show(message, category, *place):
            if issubclass(category, WeightsWarning):
                print(message, file=sys.stderr)
            else:
                show_others(message, category, *place)

        warnings.simplefilter("always", WeightsWarning)
        warnings.showwarning = show
        yield


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
