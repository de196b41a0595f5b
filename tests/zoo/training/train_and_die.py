"""`lambda-zoo`, which gets a signal once, at a given step of a training; run by test_faults.py and test_fine_tune.py.

    python train_and_die.py STEP SIGNAL MARK ARGUMENTS…

STEP 0 is never. MARK is a file that is made before the signal; where it exists there is none. Of several workers only
number 1 gets it.
"""

import json
import os
import pathlib
import signal
import sys

import lambda_keras.zoo.cli
from lambda_keras.zoo.training.trainer import Trainer


def main(step, name, mark, *arguments):
    survive = Trainer.train_loop_end
    worker = json.loads(os.environ["TF_CONFIG"])["task"]["index"] if "TF_CONFIG" in os.environ else 1

    def die(self):
        if self.step.numpy() >= int(step) > 0 and worker == 1 and not pathlib.Path(mark).exists():
            pathlib.Path(mark).touch()
            os.kill(os.getpid(), getattr(signal, name))
        return survive(self)

    Trainer.train_loop_end = die
    return lambda_keras.zoo.cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
