"""Trains a detector by its recipe and gets signals at given steps; run by test_run.py.

python -m tests.zoo.detection.train_and_die STEP=SIGNAL[,…] MARK RECIPE DATA OUT STRATEGY KEY=VALUE…
"""

import sys

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.detection.data import catalog
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.detection.run import train
from lambda_keras.zoo.training.strategy import create
from tests.zoo.training.train_and_die import arm

if __name__ == "__main__":
    faults, mark, name, data, out, strategy, *overrides = sys.argv[1:]
    arm(faults, mark)
    strategy = create(strategy)
    recipe = recipe_file.load_as(DetectorRecipe, name, overrides)
    train(recipe, out, *catalog.load_for_training(data, with_masks=True), strategy)
