"""`lambda-zoo`, which gets signals at given steps of a training; run by test_faults.py and other tests like it.

    python train_and_die.py STEP=SIGNAL[,…] MARK ARGUMENTS…

Each signal comes once: `MARK.STEP` is a file that is made before it, and where that exists there is none. Of several
workers only number 1 gets them.
"""

import json
import os
import pathlib
import signal
import sys
import time

import lambda_keras.zoo.cli
from lambda_keras.zoo.training.trainer import Trainer


def arm(faults, mark):
    """Makes the signals come, as the module says."""
    survive = Trainer.train_loop_end
    worker = json.loads(os.environ["TF_CONFIG"])["task"]["index"] if "TF_CONFIG" in os.environ else 1

    def die(self):
        for fault in filter(None, faults.split(",")):
            step, name = fault.split("=")
            done = pathlib.Path(f"{mark}.{step}")
            if self.step.numpy() >= int(step) and worker == 1 and not done.exists():
                done.touch()
                os.kill(os.getpid(), getattr(signal, name))
                # The thread of StopFlag may be late on a busy machine; then the run would stop after a later step.
                while not self.stopping.numpy():
                    time.sleep(0.01)
        return survive(self)

    Trainer.train_loop_end = die


def main(faults, mark, *arguments):
    arm(faults, mark)
    return lambda_keras.zoo.cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
