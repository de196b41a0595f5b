import signal
import subprocess
import sys

import pytest

from lambda_keras.zoo.command_line import Parser, print_table, run
from lambda_keras.zoo.errors import NonFiniteLossError, StoppedError, UserError, WorkerLostError


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_the_status_is_the_commands(returned, status, capsys):
    assert run("lambda-zoo", lambda: returned) == status
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("no such\n  file"), 2, "lambda-zoo: no such file\n"),
        (NonFiniteLossError("the loss is nan"), 2, "lambda-zoo: the loss is nan\n"),
        (StoppedError(12), 75, "lambda-zoo: stopped by a signal after step 12; the same command goes on from there\n"),
        (WorkerLostError("another worker\nis gone"), 75, "lambda-zoo: another worker is gone\n"),
    ],
)
def test_what_is_not_a_bug_becomes_one_line_and_a_status(error, status, line, capsys):
    def command():
        raise error

    assert run("lambda-zoo", command) == status
    assert capsys.readouterr() == ("", line)


def test_a_bug_keeps_its_traceback():
    def command():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run("lambda-zoo", command)


def test_what_cannot_be_parsed_is_a_users_error():
    parser = Parser(prog="lambda-zoo train")
    parser.add_argument("--epochs", type=int)
    with pytest.raises(UserError, match=r"invalid int value: 'ten' \(see lambda-zoo train --help\)"):
        parser.parse_args(["--epochs", "ten"])


def test_a_table(capsys):
    print_table(("name", "images"), [("train", "1212"), ("validation", "5")], right=(1,))
    assert capsys.readouterr().out.splitlines() == [
        "name        images",
        "----------  ------",
        "train         1212",
        "validation       5",
    ]


@pytest.mark.process
def test_a_reader_that_has_gone_is_no_traceback():
    code = "from lambda_keras.zoo.command_line import run; exit(run('x', lambda: print('row\\n' * 99999)))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


@pytest.mark.process
def test_ctrl_c_is_one_line():
    """A real signal, in a process of its own."""
    wait = "lambda: (print('up', flush=True), time.sleep(60))"
    # A process that was started in the background ignores the signal, and so do those that it starts.
    handle = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import signal, time; from lambda_keras.zoo.command_line import run; {handle}; exit(run('x', {wait}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate() == (b"", b"x: interrupted\n")
    assert process.returncode == 130
