import contextlib
import os
import signal
import threading

import pytest
import tensorflow as tf

from lambda_keras.zoo.errors import StoppedError
from lambda_keras.zoo.training import preemption
from lambda_keras.zoo.training.preemption import SIGNALS, StopFlag

# So long runs a graph that the flag fails to end.
SECONDS = 60


@tf.function
def run_until(raised):
    """Runs in the graph until the flag is raised; returns it as the graph saw it last."""
    end = tf.timestamp() + SECONDS
    seen = raised.read_value()
    while seen == 0 and tf.timestamp() < end:
        seen = raised.read_value()
    return seen


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_raises_the_flag_while_a_graph_runs(number):
    with StopFlag() as flag:
        assert flag.raised.numpy() == 0
        # Python itself sees the signal only after the graph.
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        assert run_until(flag.raised).numpy() == 1


def test_other_signals_do_not():
    arrived = []
    before = signal.signal(signal.SIGUSR1, lambda *_: arrived.append(True))
    try:
        with StopFlag() as flag:
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    # The thread has read all signals before the block ends.
    assert arrived
    assert flag.raised.numpy() == 0


def test_a_new_flag_is_not_raised():
    with StopFlag() as flag:
        os.kill(os.getpid(), signal.SIGTERM)
    assert flag.raised.numpy() == 1
    with StopFlag() as flag:
        pass
    assert flag.raised.numpy() == 0


def test_a_signal_is_found_after_the_last_step_too():
    with StopFlag() as flag:
        flag.check()
        os.kill(os.getpid(), signal.SIGINT)
        run_until(flag.raised)
        with pytest.raises(StoppedError, match="stopped by a signal after the last step; the same command resumes it"):
            flag.check()


def test_no_signal_falls_between_the_handlers_and_the_file(monkeypatch):
    """Whatever call the signal comes after, it is seen: by the flag, or as before and after the block."""
    seen, number = [], signal.SIGTERM
    monkeypatch.setattr(preemption, "SIGNALS", (number,))
    before = signal.signal(number, lambda *_: seen.append("outside"))
    handle, wake = signal.signal, signal.set_wakeup_fd

    def kill_after(function):
        def call(*arguments, **options):
            result = function(*arguments, **options)
            os.kill(os.getpid(), number)
            return result

        return call

    try:
        for name, function in (("signal", handle), ("set_wakeup_fd", wake)):
            for phase in ("enter", "exit"):
                seen.clear()
                flag = StopFlag()
                with monkeypatch.context() as patch:
                    if phase == "enter":
                        patch.setattr(preemption.signal, name, kill_after(function))
                    flag.__enter__()
                with monkeypatch.context() as patch:
                    if phase == "exit":
                        patch.setattr(preemption.signal, name, kill_after(function))
                    flag.__exit__()
                assert seen or flag.raised.numpy(), (name, phase)
    finally:
        handle(number, before)


@pytest.fixture
def wakeup_file():
    """A file that the interpreter writes signals to already, as an event loop has it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing)
    yield writing
    signal.set_wakeup_fd(before)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("error", [None, KeyError])
def test_the_signals_are_given_back(wakeup_file, error):
    handlers = [signal.getsignal(number) for number in SIGNALS]
    threads = threading.active_count()
    with contextlib.suppress(KeyError), StopFlag():
        assert threading.active_count() == threads + 1
        if error:
            raise error
    assert [signal.getsignal(number) for number in SIGNALS] == handlers
    assert threading.active_count() == threads
    assert signal.set_wakeup_fd(wakeup_file) == wakeup_file
