"""Trains the networks whose weights come with the package, and beside them the same with 3×3 convolutions.

    python -m benchmarks.shipped_weights --data-dir FOLDER --runs runs/shipped

`FOLDER` has Fashion-MNIST, as for `lambda-zoo train`. Each network is trained from three seeds
with the same recipe, so with the same number of epochs. Writes results/shipped_weights.csv, a row per training with the
accuracy on the test images, and results/shipped_weights_epochs.csv, every epoch of it. A training that was
interrupted continues when the command is run again. What was chosen (the widths of the network, the recipe) was chosen
on the 10 % of the training images that are held back, not on the test images.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import keras

import lambda_keras as lk
from benchmarks.timing import write_csv

RECIPES = ("fashion_mnist", "digits")
SEEDS = (0, 1, 2)
# The 3×3 convolutions of the other blocks in place of the lambda layers.
NETWORKS = {"lambda": [], "convolution": ["model.overrides.lambda_blocks=[[],[],[],[]]"]}


def train(recipe, network, seed, folder, data_dir):
    """Trains and evaluates one network.

    Args:
        recipe: Name of the recipe.
        network: A key of `NETWORKS`.
        seed: Seed of the training.
        folder: Folder of the run.
        data_dir: Folder of the data, for recipes that need one.

    Returns:
        A row for the table, and the rows of the run's epochs.
    """
    data = ["--data-dir", data_dir] if recipe != "digits" else []
    command = [sys.executable, "-m", "lambda_keras.zoo"]
    settings = [*NETWORKS[network], f"training.seed={seed}"]
    subprocess.run([*command, "train", "--recipe", recipe, "--out", folder, *data, *settings], check=True)
    subprocess.run([*command, "evaluate", folder, *data], check=True)
    figures = json.loads((folder / "evaluation" / "evaluation.json").read_text("utf-8"))
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    run = {"recipe": recipe, "network": network, "seed": seed}
    row = {
        **run,
        "parameters": model.count_params(),
        "multiply_adds": lk.multiply_adds.count_multiply_adds(model),
        "test_images": figures["images"],
        "test_accuracy_percent": f"{100 * figures['top_1']:.2f}",
    }
    with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
        return row, [{**run, **epoch} for epoch in csv.DictReader(file)]


def main():
    """Trains all, one after the other, and writes the tables after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, help="folder with Fashion-MNIST")
    parser.add_argument("--runs", type=Path, default=Path("runs/shipped"), help="folder for the runs")
    options = parser.parse_args()
    rows, epochs = [], []
    for recipe in RECIPES:
        for network in NETWORKS:
            for seed in SEEDS:
                folder = options.runs / f"{recipe}_{network}_{seed}"
                row, epochs_of_run = train(recipe, network, seed, folder, options.data_dir)
                rows.append(row)
                epochs.extend(epochs_of_run)
                write_csv("shipped_weights", rows)
                write_csv("shipped_weights_epochs", epochs)


if __name__ == "__main__":
    main()
