"""What the commands of this project share: how they parse, how much they print, and how they end on a user's error."""

import argparse
import contextlib
import errno
import importlib.util
import io
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TextIO, TypeVar

from lambda_keras.text import escaped, first_line
from lambda_keras.version import __version__
from lambda_keras.weights.errors import WeightsWarning
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.errors import TryAgainError, UserError, reason
from lambda_keras.zoo.extras import missing_extra

# Of Keras.
BACKENDS = ("tensorflow", "jax", "torch", "numpy", "openvino")
# Of a number that an option takes.
MOST_DIGITS = 9
# Of a file that cannot be read.
_REFUSALS = (errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOTDIR, errno.EIO)
Step = TypeVar("Step")
_quiet = False


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are a `UserError`, so that they end as all others do."""

    def error(self, message: str) -> NoReturn:
        """Raises what `argparse` would print together with the usage."""
        raise UserError(f"{message} (see {self.prog} --help)")


def add_program_options(parser: argparse.ArgumentParser) -> None:
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


def add_common_options(parser: argparse.ArgumentParser, takes_a_while: bool = True) -> None:
    """Adds what every command takes: `-q` and `-v`, whose values `set_verbosity` takes.

    Args:
        parser: The parser of a command.
        takes_a_while: Whether the command starts TensorFlow.
    """
    parser.set_defaults(takes_a_while=takes_a_while)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help="print the result alone, no progress")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="print TensorFlow's own remarks too, and where files come from"
    )


def add_most_pixels(parser: argparse.ArgumentParser, default: int = MOST_PIXELS, remark: str = "as in Pillow") -> None:
    """Adds `--most-pixels`, the limit beyond which an image file is not decoded.

    Args:
        parser: The parser of a command that reads image files.
        default: The limit of the command without it.
        remark: What the help says of that.
    """
    parser.add_argument(
        "--most-pixels",
        type=positive,
        default=default,
        metavar="N",
        help=f"the most that an image file may have, before it is decoded (default: {default:,}, {remark})",
    )


def positive(text: str) -> int:
    """Reads a whole number of at least 1."""
    # Python reads no number of more than 4,300 digits.
    if not text.isdecimal() or len(text) > MOST_DIGITS or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def set_verbosity(arguments: argparse.Namespace) -> None:
    """Makes the process as talkative as the options of `add_common_options` say; before TensorFlow is imported.

    What takes a while says so at once.

    Args:
        arguments: What a parser with these options returned.

    Raises:
        UserError: The environment asks for a backend of Keras that is not installed.
    """
    global _quiet
    _quiet = arguments.quiet
    # As a progress bar: for who waits before a terminal.
    if arguments.takes_a_while and not _quiet and sys.stderr.isatty() and "tensorflow" not in sys.modules:
        say("starting; TensorFlow takes a few seconds", file=sys.stderr)
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # Where TensorFlow is missing, the command names the extra that brings it.
    if backend != "tensorflow" and (backend not in BACKENDS or importlib.util.find_spec(backend) is None):
        raise UserError(
            f"KERAS_BACKEND={backend} is no backend of Keras, or it is not installed; set KERAS_BACKEND=tensorflow, or "
            "leave it out"
        )
    if arguments.verbose:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
        # Datasets and downloads log the files that they take.
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    else:
        # TensorFlow writes a lot to stderr. Users who want to read it set the variable or `--verbose`.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        for name in ("absl", "tensorflow"):
            logging.getLogger(name).setLevel(logging.ERROR)


def is_quiet() -> bool:
    """Whether a command prints its result alone."""
    return _quiet


def say(text: object = "", file: TextIO | None = None) -> None:
    """Prints text in which something is that others wrote, such as names of files and classes.

    Args:
        text: The text, of one line or several.
        file: Where to, by default `sys.stdout`.
    """
    print(escaped(str(text), keep="\n\t"), file=file, flush=True)


def say_json(value: object) -> None:
    """Prints a value as JSON in which all but control characters stand as they are."""
    print(escaped(json.dumps(value, indent=2, ensure_ascii=False), keep="\n", form="\\u{:04x}"), flush=True)


def narrate(text: object = "") -> None:
    """Says what a command does, which is not its result; nothing with `--quiet`."""
    if not _quiet:
        say(text)


def progress_bar(steps: Iterable[Step], **options: object) -> Iterable[Step]:
    """Wraps an iterable so that a terminal shows how far it is; nothing with `--quiet` or in a file.

    Args:
        steps: The iterable.
        **options: Those of `tqdm.tqdm`.
    """
    from tqdm import tqdm

    return tqdm(steps, leave=False, disable=_quiet or None, **options)


def run(program: str, command: Callable[[], int | None]) -> int:
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
    _mend_streams()
    try:
        with _warnings_of_weights_as_text():
            status = command() or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        _complain(program, "interrupted")
        return 128 + signal.SIGINT
    except (UserError, TryAgainError) as error:
        _complain(program, error)
        return os.EX_TEMPFAIL if isinstance(error, TryAgainError) else 2
    except ModuleNotFoundError as error:
        # The extra of `lambda-zoo` is zoo, that of `lambda-export` is export.
        extra = missing_extra(error.name, preferred=program.removeprefix("lambda-"))
        if extra is None:
            raise
        _complain(program, f"this needs the extra {extra}: pip install 'lambda-keras[{extra}]' ({error})")
        return 2
    except OSError as error:
        # What the operating system refuses: a name that is too long, a disk that is full, a folder of somebody else.
        place = error.filename or "reading or writing failed"
        _complain(program, f"{place}: {reason(error)}")
        return 2
    except Exception as error:
        words = _of_tensorflow(error)
        if words is None:
            raise
        _complain(program, words)
        return 2
    finally:
        _drop_what_cannot_be_printed()


def _of_tensorflow(error):
    """What to say where a graph met what is no bug: a file that was deleted during a training, or a damaged one."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
        return None
    if any(os.strerror(number) in error.message for number in _REFUSALS):
        return first_line(error)
    if isinstance(error, tensorflow.errors.DataLossError):
        return f"a file of records is damaged: {first_line(error)}; write it anew, or fetch it again"
    from lambda_keras.zoo.data.images import requirement

    return requirement.reason(error)


def _mend_streams():
    """Makes printing work where a stream is closed, and where a console has no letters for some characters."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            # Or else the next file that is opened gets the number, and what TensorFlow prints.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8"))
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _complain(program, problem):
    line = escaped(" ".join(str(problem).split()))
    # Where it cannot be printed, the status says it all.
    with contextlib.suppress(OSError):
        print(f"{program}: {line}", file=sys.stderr, flush=True)


def _drop_what_cannot_be_printed():
    """What is left in a buffer and cannot be written would fail once more when the interpreter ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


@contextlib.contextmanager
def _warnings_of_weights_as_text():
    """Prints what the library warns of weights on stderr, without the line of code that the user did not write."""
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def show(message, category, *place):
            if issubclass(category, WeightsWarning):
                say(message, sys.stderr)
            else:
                show_others(message, category, *place)

        warnings.simplefilter("always", WeightsWarning)
        warnings.showwarning = show
        yield


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Prints rows of strings in columns below their header.

    Args:
        header: The names of the columns.
        rows: Sequences of strings, one for each column.
        right: Indices of the columns that are flush right, such as those of numbers.
    """
    header, *rows = ([escaped(cell) for cell in row] for row in (header, *rows))
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    for row in (header, ["-" * width for width in widths], *rows):
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
