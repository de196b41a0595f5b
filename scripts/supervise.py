"""Runs one worker of a multi-worker training on each host, and starts all of them again when one fails.

    python scripts/supervise.py --hosts host0:20001,host1:20001 -- lambda-zoo train --recipe R --strategy multi_worker

Each worker finds its place in `TF_CONFIG`. Hosts are reached by ssh, without a password, and must have this folder
under the same path; `localhost` and `127.0.0.1` are plain processes. No worker can continue without the others, so when
one fails the others get SIGTERM, after `--grace` seconds SIGKILL, and all start again: training resumes from its
newest checkpoint.

Exit status: 0 when every worker ended with 0; at once the status of a worker that ended with 2 (an error that a new
start does not cure) or with 126 or 127 (there is no such command); after SIGTERM or SIGINT, which all workers
get as SIGTERM, 75 if a worker ended with 75 (checkpoint saved, run the same again) and 143 if none did; when all
restarts are used up that of the worker that failed. Needs Linux and nothing beyond the standard library.
"""

import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

LOCAL = ("localhost", "127.0.0.1")
# A user's error, a command that cannot be run, a command that is not there.
FINAL = (2, 126, 127)
SAVED = 75
# A host that is gone is noticed after a minute; nobody is there to type a password.
SSH = ["ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
POLL_SECONDS = 0.1
# How long after SIGKILL a worker may take to be reported as ended, before ssh itself is given up.
LOST_SECONDS = 15

# Runs on the worker's host. Signals come as lines on the standard input, which works through ssh too; its end means
# that the supervisor is gone. The worker leads a process group of its own, so that nothing it starts outlives it.
WORKER = """
exec 3<&0 </dev/null
cd {folder} || exit 126
TF_CONFIG={tf_config} setsid {command} 3<&- &
worker=$!
send() {{ kill -s "$1" -- "-$worker" 2>/dev/null || kill -s "$1" "$worker" 2>/dev/null; }}
(
    while read -r name; do send "$name"; done
    send TERM
    waited=0
    while [ $waited -lt {grace} ] && kill -0 "$worker" 2>/dev/null; do sleep 1; waited=$((waited + 1)); done
    send KILL
) <&3 3<&- &
orders=$!
exec 3<&-
wait "$worker"
status=$?
kill "$orders"
wait "$orders" 2>/dev/null
kill -s KILL -- "-$worker" 2>/dev/null
exit $status
"""


class Worker:
    """A worker that runs, here or on another host.

    Args:
        index: Its number among the hosts.
        hosts: `host:port` of every worker.
        command: The command to run, a list.
        grace: Seconds from SIGTERM to SIGKILL if this supervisor goes away.
    """

    def __init__(self, index, hosts, command, grace):
        self.name = f"worker {index} ({hosts[index]})"
        host = hosts[index].rpartition(":")[0]
        tf_config = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        script = WORKER.format(
            folder=shlex.quote(os.getcwd()),
            tf_config=shlex.quote(json.dumps(tf_config)),
            command=shlex.join(command),
            grace=grace,
        )
        start = ["sh", "-c", script] if host in LOCAL else [*SSH, host, f"sh -c {shlex.quote(script)}"]
        # In a session of its own: a Ctrl-C in the terminal is for the supervisor, which passes it on.
        self._process = subprocess.Popen(start, stdin=subprocess.PIPE, start_new_session=True)

    def status(self):
        """The exit status, 128 + n after signal n, or `None` while the worker runs."""
        status = self._process.poll()
        return 128 - status if status is not None and status < 0 else status

    def send(self, name):
        """Sends a signal to the worker and all it started, such as `"TERM"`."""
        with contextlib.suppress(BrokenPipeError):  # It may have ended a moment ago.
            self._process.stdin.write(f"{name}\n".encode())
            self._process.stdin.flush()

    def give_up(self):
        """Ends the connection to a host that does not answer."""
        self._process.kill()
        self._process.wait()

    def close(self):
        """Frees the pipe of a worker that has ended."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()


class Supervisor:
    """Starts all workers, watches them, and starts them again.

    Args:
        hosts: `host:port` of every worker.
        command: The command that each runs, a list.
        restarts: How often all may be started again.
        pause: Seconds before they are.
        grace: Seconds from SIGTERM to SIGKILL.
    """

    def __init__(self, hosts, command, restarts, pause, grace):
        self.hosts, self.command, self.restarts, self.pause, self.grace = hosts, command, restarts, pause, grace
        self.interrupted = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._interrupt)

    def run(self):
        """Runs until the training ends one way or another; returns the exit status."""
        for attempt in range(self.restarts + 1):
            workers = [Worker(index, self.hosts, self.command, self.grace) for index in range(len(self.hosts))]
            failed = self._watch(workers)
            self._stop(workers)
            # A status that no new start cures says more than those of workers that failed because of it.
            failed = next((worker for worker in workers if worker.status() in FINAL), failed)
            statuses = [worker.status() for worker in workers]
            if self.interrupted and any(statuses):
                return SAVED if SAVED in statuses else 128 + signal.SIGTERM
            if failed is None:
                return 0
            self._say(f"{failed.name} ended with status {failed.status()}")
            if failed.status() in FINAL:
                return failed.status()
            if attempt < self.restarts:
                self._say(f"restart {attempt + 1} of {self.restarts} in {self.pause:g} s")
                self._sleep(self.pause)
            if self.interrupted:
                return 128 + signal.SIGTERM
        self._say("no restarts left")
        return failed.status()

    def _watch(self, workers):
        """Waits until all have ended with 0, one has failed, or a signal came; returns the one that failed."""
        while not self.interrupted:
            statuses = [worker.status() for worker in workers]
            if any(statuses):
                return next(worker for worker, status in zip(workers, statuses, strict=True) if status)
            if None not in statuses:
                return None
            time.sleep(POLL_SECONDS)
        return None

    def _stop(self, workers):
        """Ends all that still run: SIGTERM, then SIGKILL, then the connection."""
        for name, seconds in (("TERM", self.grace), ("KILL", LOST_SECONDS)):
            running = [worker for worker in workers if worker.status() is None]
            for worker in running:
                worker.send(name)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and any(worker.status() is None for worker in running):
                time.sleep(POLL_SECONDS)
        for worker in workers:
            if worker.status() is None:
                self._say(f"{worker.name} does not answer; it may still run")
                worker.give_up()
            worker.close()

    def _sleep(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.interrupted:
            time.sleep(POLL_SECONDS)

    def _interrupt(self, number, frame):
        self.interrupted = True

    @staticmethod
    def _say(text):
        print(f"supervise: {text}", file=sys.stderr, flush=True)


def main():
    """Reads the command line and runs the supervisor; returns the exit status."""
    description, details = __doc__.split("\n", 1)
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", required=True, type=_hosts, help="host:port of every worker, separated by commas")
    parser.add_argument("--restarts", default=10, type=_count, help="how often all may be started again (default: 10)")
    parser.add_argument("--pause", default=10, type=_seconds, help="seconds before a restart (default: 10)")
    parser.add_argument("--grace", default=60, type=_count, help="seconds from SIGTERM to SIGKILL (default: 60)")
    parser.add_argument("command", nargs="+", help="the command that every worker runs, after --")
    arguments = parser.parse_args()
    return Supervisor(**vars(arguments)).run()


def _count(text):
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def _seconds(text):
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?", text):
        raise argparse.ArgumentTypeError(f"expected seconds, at least 0, such as 0.5, got {text!r}")
    return float(text)


def _hosts(text):
    hosts = text.split(",")
    for host in hosts:
        # A name that begins with "-" would be an option of ssh.
        port = re.fullmatch(r"[\w.][\w.-]*:([0-9]{1,5})", host, re.ASCII)
        if not port or not 0 < int(port[1]) < 65536:
            raise argparse.ArgumentTypeError(f"each must have the form host:port, got {host!r}")
    if len(set(hosts)) < len(hosts):
        raise argparse.ArgumentTypeError(f"each worker needs a host:port of its own, got {text!r}")
    return hosts


if __name__ == "__main__":
    sys.exit(main())
