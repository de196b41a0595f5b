import logging
import os
import signal
import subprocess
import sys
import warnings

import pytest

from lambda_keras.version import __version__
from lambda_keras.weights import WeightsWarning
from lambda_keras.zoo import command_line
from lambda_keras.zoo.command_line import (
    Parser,
    add_common_options,
    add_program_options,
    narrate,
    print_table,
    progress_bar,
    run,
    say,
    say_json,
    set_verbosity,
)
from lambda_keras.zoo.data.images.requirement import require
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
        (StoppedError(12), 75, "lambda-zoo: stopped by a signal after step 12; the same command resumes it\n"),
        (WorkerLostError("another worker\nis gone"), 75, "lambda-zoo: another worker is gone\n"),
    ],
)
def test_what_is_not_a_bug_becomes_one_line_and_a_status(error, status, line, capsys):
    def command():
        raise error

    assert run("lambda-zoo", command) == status
    assert capsys.readouterr() == ("", line)


def test_control_characters_of_others_do_not_reach_the_terminal(capsys):
    def command():
        print_table(("class",), [("\x1b[2J",)])
        say("a\x9bb\nc")
        say_json(["\x7f\x9b", "ü"])
        raise UserError("no file \x1b]0;title\x07")

    assert run("lambda-zoo", command) == 2
    printed = capsys.readouterr()
    assert printed.out == 'class\n-------\n\\x1b[2J\na\\x9bb\nc\n[\n  "\\u007f\\u009b",\n  "ü"\n]\n'
    assert printed.err == "lambda-zoo: no file \\x1b]0;title\\x07\n"


def test_what_the_operating_system_refuses_is_a_line(tmp_path, capsys):
    assert run("lambda-zoo", lambda: (tmp_path / ("x" * 256)).is_file() and 0) == 2
    assert capsys.readouterr().err == f"lambda-zoo: {tmp_path}/{'x' * 256}: File name too long\n"


def test_a_file_that_vanishes_under_tensorflow_is_a_line(tmp_path, capsys):
    import tensorflow as tf

    files = tf.data.Dataset.from_tensors(f"{tmp_path}/vanished.png").map(tf.io.read_file)
    assert run("lambda-zoo", lambda: len(list(files))) == 2
    error = capsys.readouterr().err
    assert "vanished.png; No such file or directory" in error
    assert len(error.splitlines()) == 1

    with pytest.raises(tf.errors.InvalidArgumentError):
        run("lambda-zoo", lambda: tf.reshape([1], [2]))


def test_what_a_graph_refuses_is_a_line(tmp_path, capsys):
    import tensorflow as tf

    path = str(tmp_path / "x.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"a record")
    with open(path, "r+b") as file:
        file.seek(13)
        file.write(b"!")
    assert run("lambda-zoo", lambda: len(list(tf.data.TFRecordDataset(path)))) == 2
    assert "a file of records is damaged: corrupted record at 12; write it anew" in capsys.readouterr().err

    def refuse(number):
        with tf.control_dependencies([require((number < 0, "no such number; give another"))]):
            return tf.identity(number)

    assert run("lambda-zoo", lambda: len(list(tf.data.Dataset.range(1).map(refuse)))) == 2
    assert capsys.readouterr().err == "lambda-zoo: no such number; give another\n"


def test_a_backend_that_is_not_there_is_a_users_error(monkeypatch):
    for backend, found in (("mxnet", True), ("jax", None)):
        monkeypatch.setenv("KERAS_BACKEND", backend)
        monkeypatch.setattr(command_line.importlib.util, "find_spec", lambda name, found=found: found)
        with pytest.raises(UserError, match=f"KERAS_BACKEND={backend} is no backend of Keras, or it is not installed"):
            set_verbosity(options_of())


# Its name is that of the command, which imports no Keras.
ROWS = """
from lambda_keras.zoo.command_line import run
def rows():
    print("28×28 " * 9999)
    assert open("new", "w").fileno() > 2
exit(run("x", rows))
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("redirected", "status"),
    [(">/dev/full", 2), (">&-", 0), ("2>&- >&-", 0), (">/dev/full 2>/dev/full", 2), ("2>/dev/full >/dev/null", 0)],
)
def test_streams_that_take_nothing(redirected, status, tmp_path):
    (tmp_path / "lambda-zoo.py").write_text(ROWS, encoding="utf-8")
    command = ["sh", "-c", f'"$1" lambda-zoo.py {redirected}', "sh", sys.executable]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == status
    expected = "x: reading or writing failed: No space left on device\n" if redirected == ">/dev/full" else ""
    assert process.stderr == expected


@pytest.mark.process
def test_a_console_of_ascii(tmp_path):
    (tmp_path / "lambda-zoo.py").write_text(ROWS, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    printed = subprocess.check_output([sys.executable, "lambda-zoo.py"], cwd=tmp_path, env=environment)
    assert printed.startswith(b"28\\xd728 ")


def test_warnings_of_weights_are_their_text_each_time(capsys):
    def command():
        for _ in range(2):
            warnings.warn("two tables\nwere resized", WeightsWarning, stacklevel=1)

    assert run("lambda-zoo", command) == 0
    assert capsys.readouterr() == ("", "two tables\nwere resized\n" * 2)


def test_other_warnings_stay_warnings(capsys):
    with pytest.warns(RuntimeWarning, match="overflow"):
        run("lambda-zoo", lambda: warnings.warn("overflow", RuntimeWarning, stacklevel=1))
    assert capsys.readouterr() == ("", "")


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


def options_of(*arguments):
    parser = Parser(prog="lambda-zoo")
    add_common_options(parser)
    return parser.parse_args(arguments)


def test_quiet_leaves_the_result_alone(capsys, monkeypatch):
    monkeypatch.setattr(command_line, "_quiet", False)
    for arguments in ((), ("--quiet",)):
        set_verbosity(options_of(*arguments))
        narrate("what is done")
        assert list(progress_bar([1, 2])) == [1, 2]
    assert capsys.readouterr() == ("what is done\n", "")


def test_tensorflow_s_warnings_are_not_the_command_s(caplog, monkeypatch):
    import tensorflow as tf

    for name in ("absl", "tensorflow"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.WARNING)
    set_verbosity(options_of())
    tf.get_logger().warning("5 out of the last 5 calls triggered retracing")
    tf.get_logger().error("what ends a command")
    assert caplog.messages == ["what ends a command"]


def test_verbose_lets_tensorflow_speak(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setattr(logging, "basicConfig", lambda **options: levels.append(options["level"]))
    levels = []
    set_verbosity(options_of("-v"))
    assert (os.environ["TF_CPP_MIN_LOG_LEVEL"], levels) == ("0", [logging.INFO])


def test_quiet_and_verbose_exclude_each_other():
    with pytest.raises(UserError, match="not allowed with argument -q/--quiet"):
        options_of("-q", "-v")


def test_bash_completes_commands_and_options(tmp_path):
    script = subprocess.check_output(
        [sys.executable, "-m", "lambda_keras.zoo", "--print-completion", "bash"], text=True
    )
    (tmp_path / "completion.sh").write_text(script)
    complete = "COMP_WORDS=($1); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); _shtab_lambda_zoo"
    ask = f'source completion.sh; {complete}; echo "${{COMPREPLY[@]}}"'
    for typed, expected in (("lambda-zoo fine", "fine-tune"), ("lambda-zoo evaluate --spl", "--split")):
        assert subprocess.check_output(["bash", "-c", ask, "bash", typed], text=True, cwd=tmp_path).split() == [
            expected
        ]


def test_the_version(capsys):
    parser = Parser(prog="lambda-zoo")
    add_program_options(parser)
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"lambda-zoo {__version__}\n")
