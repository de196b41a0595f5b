"""Stands for the interpreter: what `python ARGUMENTS` would do is done by a process that `fork_server.py` forks.

    python -IS tests/forked_python.py SOCKET ARGUMENTS…

ARGUMENTS are `-c CODE …`, `-m MODULE …` or `SCRIPT …`. The process has this one's environment, folder and standard
files; signals are passed to it, and this one ends as it did, by the same signal where it was one.
"""

import json
import os
import resource
import signal
import socket
import sys

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def main(address, *arguments):
    # A signal that comes before the process is there waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    request = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("r") as answers:
        connection.connect(address)
        data = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(connection, [data], [0, 1, 2])
        connection.sendall(data[sent:])
        process = int(answers.readline())
        for number in FORWARDED:
            signal.signal(number, lambda number, _: os.kill(process, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        status = int(answers.readline())
    if status < 0:
        # The other process has left a core file, if there is one.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
