"""SIGTERM and Ctrl-C: a flag that the running graph reads, so that training stops after the step it is in."""

import os
import signal
import threading
from typing import Self

import tensorflow as tf

from lambda_keras.zoo.errors import StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopFlag:
    """A flag that signals raise, for use in a `with` block in the main thread.

    Python runs a signal's handler only when the main thread comes back from TensorFlow, which is after a whole loop of
    steps. The interpreter's wake-up file is written at once, so a thread waits for that.

    Attributes:
        raised: A float32 variable, 0 or 1, that graphs may read at any time.
    """

    def __init__(self):
        with tf.device("CPU:0"):
            self.raised = tf.Variable(0.0, trainable=False)
        self._has_come = False

    def __enter__(self) -> Self:
        """Takes the signals over."""
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()
        # Before the handlers, and given back after them: a signal in between would be lost.
        self._wakeup = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._remember) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._writing)
        self._thread.join()
        os.close(self._reading)

    def check(self) -> None:
        """Ends what is done after the last step, where a signal has come: call it between two pieces of that.

        Raises:
            StoppedError: A signal has come.
        """
        # Not the variable, which the thread may be about to write.
        if self._has_come:
            raise StoppedError

    def _remember(self, number, frame):
        self._has_come = True

    def _wait(self):
        while data := os.read(self._reading, 1):
            if data[0] in SIGNALS:
                self.raised.assign(1.0)
