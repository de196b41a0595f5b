"""Two workers of a multi-worker training as processes of this machine."""

import json
import os
import socket
import subprocess

SECONDS = 600


def free_ports(count):
    """Ports that nobody listens on, taken at the same time so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def run_workers(python, *arguments, count=2):
    """Runs `python arguments` once for each worker and waits; raises with the output where one fails.

    `python` are the words that stand for the interpreter. An argument `{index}` becomes the worker's number.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes = []
    for index in range(count):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        command = [*python, *(str(argument).replace("{index}", str(index)) for argument in arguments)]
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    try:
        outputs = [process.communicate(timeout=SECONDS)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output[-4000:]
