"""Warm processes: a server that has imported TensorFlow and this project once, and forks a process for each request.

    python tests/fork_server.py SOCKET

A fresh process imports TensorFlow and lambda_keras.zoo for some seconds before it begins; a forked one begins at once
and is otherwise its own: its own TensorFlow runtime (the server never runs an operation), arguments, environment,
folder, output and end. `tests/forked_python.py` stands for the interpreter and asks this server.
"""

import array
import atexit
import contextlib
import json
import os
import random
import runpy
import select
import signal
import socket
import sys
import threading
import traceback

import numpy as np


def main(address):
    sys.path[0] = os.getcwd()  # It was tests/, which has folders of the names of our packages.
    import_everything()
    request = serve(address)
    if request is not None:
        end(run(**request))


def import_everything():
    from tensorflow.python.eager import context

    import lambda_keras.layers
    from tests.compilation import compile_at_once

    compile_at_once()

    # An environment for the library alone has not what zoo requires.
    with contextlib.suppress(ImportError):
        import lambda_keras.zoo.fine_tuning.run
        import lambda_keras.zoo.training.run  # noqa: F401

    assert not context.context()._initialized, "an import has run an operation, whose threads a fork would lose"


def serve(address):
    """Answers requests until stdin is closed; returns the request in the process that is forked for it."""
    from tests.garbage import collect_seldom

    collect_seldom()
    # Nobody waits for the processes that answer.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        # Whoever sees the file can connect to it.
        listening.bind(f"{address}.new")
        listening.listen(64)
        os.rename(f"{address}.new", address)
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in ready:
                return None
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                return answer(connection)
            connection.close()


def answer(connection):
    """Forks the process of a request, says its number and how it ended; returns the request in that process alone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, files = receive(connection)
    process = os.fork()
    if process == 0:
        connection.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        return request
    for file in files:
        os.close(file)
    connection.sendall(f"{process}\n".encode())
    ended = os.pidfd_open(process)
    # Nothing more comes from who asked: what can be read is that he is gone, and the process goes with him.
    readable, _, _ = select.select([connection, ended], [], [])
    if ended not in readable:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if ended in readable:
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def receive(connection):
    """The request, a line of JSON, and the three standard files of who asked."""
    files = array.array("i")
    data, (message, *_), _, _ = connection.recvmsg(2**16, socket.CMSG_SPACE(3 * files.itemsize))
    files.frombytes(message[2])
    while not data.endswith(b"\n"):
        data += connection.recv(2**16)
    return json.loads(data), files.tolist()


def run(arguments, environment, folder):
    """Does in this process what `python ARGUMENTS` would; returns the exit status."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    # A fresh process draws other random numbers than the one before.
    random.seed()
    np.random.seed()
    try:
        execute(*arguments)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def execute(first, *rest):
    """Executes `-c CODE …`, `-m MODULE …` or `SCRIPT …` as the main module."""
    sys.argv = [first, *rest]
    if first == "-c":
        sys.path[0] = ""
        sys.argv.pop(1)
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    elif first == "-m":
        sys.path[0] = os.getcwd()
        sys.argv.pop(1)
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(first)
        runpy.run_path(first, run_name="__main__")


def end(status):
    """Ends this process as an interpreter does, but for taking TensorFlow's modules apart, which takes two seconds."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
