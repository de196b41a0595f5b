"""Fine-tunes on pictures in colour with the default learning rates and BatchNorm, and with others.

    apt-get install openclipart-png
    python -m benchmarks.fine_tuning_defaults --data /usr/share/openclipart/png --runs runs/fine_tuning_defaults

The pictures and the folds are those of `benchmarks.transfer`, in colour and at 96×96 pixels. The network is
`lambda_resnet_tiny` with the stem of ResNet, which makes maps four times smaller. It starts from random weights, and
from weights of the same network after a training on other categories of openclipart. Each training is one
`lambda-zoo fine-tune` with its default settings but for those that are named. What is in the folder of runs already is
not done again. Writes results/fine_tuning_defaults.csv, a row per training.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from benchmarks.timing import write_csv
from benchmarks.transfer import balanced_accuracy, copy_small, find_pictures, write_folds
from lambda_keras.zoo.fine_tuning.run import fine_tune
from lambda_keras.zoo.fine_tuning.settings import Settings

MODEL = "lambda_resnet_tiny"
OVERRIDES = ("data.image_size=96", "model.overrides.stem=vanilla")
# Other categories than those of the folds, and how many pictures of each are taken at most.
OTHER_CATEGORIES = ("computer", "geography", "recreation", "shapes", "signs_and_symbols", "special")
MOST = 600
TRAINED_BATCH_NORM = "training.frozen_batch_norm=false"
AS_FROM_RANDOM = (TRAINED_BATCH_NORM, "training.stage_decay=1", "training.learning_rate=0.001")
# Of each comparison its start, its name in the table, and what differs from the defaults.
COMPARED = (
    ("random", "defaults", ()),
    ("random", "learning rate 0.003", ("training.learning_rate=0.003",)),
    ("other categories", "defaults", ()),
    ("other categories", "BatchNorm trained", (TRAINED_BATCH_NORM,)),
    ("other categories", "as from random weights", AS_FROM_RANDOM),
)


def other_weights(data, runs):
    """The folder of a training on other categories, which is done unless it is there."""
    paths, labels = find_pictures(data, OTHER_CATEGORIES)
    random = np.random.default_rng(0)
    chosen = [random.permutation(np.flatnonzero(labels == name))[:MOST] for name in OTHER_CATEGORIES]
    indices = np.sort(np.concatenate(chosen))
    copies = copy_small(paths[indices], runs / "other_pictures")
    table = runs / "other.csv"
    with open(table, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *zip(copies, labels[indices], strict=True)])
    out = runs / "other"
    fine_tune(Settings(data=str(table), model=MODEL, weights="none", out=str(out), overrides=OVERRIDES))
    return out


def main():
    """Trains, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of openclipart's categories")
    parser.add_argument("--runs", type=Path, required=True, help="folder for the runs")
    options = parser.parse_args()
    paths, labels = find_pictures(options.data)
    tables = write_folds(copy_small(paths, options.runs / "pictures"), labels, options.runs / "folds")
    weights = {"random": "none", "other categories": str(other_weights(options.data, options.runs))}
    rows = []
    for fold, table in enumerate(tables):
        for start, name, changes in COMPARED:
            out = options.runs / f"{start} {name} {fold}".replace(" ", "_")
            result = fine_tune(
                Settings(str(table), MODEL, str(out), weights=weights[start], overrides=(*OVERRIDES, *changes))
            )
            rows.append(
                {
                    "start": start,
                    "settings": name,
                    "fold": fold,
                    "balanced_accuracy_percent": f"{100 * balanced_accuracy(out / 'predictions.csv'):.1f}",
                    "accuracy_percent": f"{100 * result.top_1:.1f}",
                }
            )
            print(*rows[-1].values(), sep="\t", flush=True)
            write_csv("fine_tuning_defaults", rows)


if __name__ == "__main__":
    main()
