"""Trains the tests' detector and gets signals at given steps; run by test_run.py.

python -m tests.zoo.detection.train_and_die STEP=SIGNAL[,…] MARK FOLDER OUT KEY=VALUE…
"""

import pathlib
import sys

from lambda_keras.zoo.detection.run import train
from tests.zoo.detection.training import load_parts, recipe
from tests.zoo.training.train_and_die import arm

if __name__ == "__main__":
    faults, mark, folder, out, *overrides = sys.argv[1:]
    arm(faults, mark)
    train(recipe(*overrides), out, *load_parts(pathlib.Path(folder)))
