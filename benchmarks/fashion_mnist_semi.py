"""Trains on 1,000 labelled images of Fashion-MNIST, then on pseudo-labels of the others too, and compares the students.

    apt-get install dataset-fashion-mnist
    python -m benchmarks.fashion_mnist_semi --data /usr/share/datasets/fashion-mnist --runs runs/semi

For each seed and network: a teacher, trained on labelled images alone; a student of the same size, trained on these and
on the teacher's pseudo-labels of 54,000 images; the same with noise; and a second one with noise, whose teacher is the
first. Each step is that of `lambda-zoo train`, `pseudo-label` and `pseudo-label select`, and each training has as many
steps of as many images. A seed draws the first weights and all that is drawn in training, and says which 1,000 images
are labelled. All settings were fixed before the first training, none was chosen by an accuracy; 1,000 images of the
training split are held out to watch, and the test split is looked at once, at the end of each training. What is in the
folder of runs already is not done again. Writes results/fashion_mnist_semi.csv.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.timing import RESULTS, write_csv
from lambda_keras.atomic import replacing
from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.pseudo_labels import labelling, pseudo_folder
from lambda_keras.zoo.pseudo_labels.select import Settings, select
from lambda_keras.zoo.pseudo_labels.source import Place
from lambda_keras.zoo.training.run import train

LABELLED = 1000
# The rest of the training split is held out.
LAST = 55_000
# Held-out images that a training looks at after each epoch. More would take longer than the training.
VALIDATION = "train[59000:]"
# Records of each class, about as many as there are images.
PER_CLASS = 5000
NETWORKS = {"lambda layers": (), "3x3 convolutions": ("model.overrides.lambda_blocks=[[],[],[],[]]",)}
NOISE = ("model.overrides.dropout_rate=0.2", "model.overrides.stochastic_depth_rate=0.1", "data.random_erasing=0.5")
# Each 750 steps of 64 images: 15 an epoch, or 125 of eight labelled and 56 pseudo-labelled images.
LENGTH = {
    "fashion_mnist_1000": ("training.epochs=50", "training.warmup_epochs=4"),
    "fashion_mnist_semi": ("training.epochs=6", "training.warmup_epochs=0.5", "training.batch_size=64"),
}
# Of each training its name, the one that labels its images, and what differs from the recipe.
TRAININGS = (
    ("supervised", None, ()),
    ("pseudo-labels", "supervised", ()),
    ("pseudo-labels, noise", "supervised", NOISE),
    ("second iteration, noise", "pseudo-labels, noise", NOISE),
)
RESULT = "result.json"
TABLE = "fashion_mnist_semi"


def parts(seed):
    """Split expressions of the labelled images of a seed, and of all that are not."""
    start, end = LABELLED * seed, LABELLED * (seed + 1)
    before = [f"train[:{start}]"] if start else []
    return f"train[{start}:{end}]", "+".join([*before, f"train[{end}:{LAST}]"])


def selected(teacher, unlabelled, data):
    """The folder of the pseudo-labels of a run, which are made unless they are there."""
    labels, out = teacher / "labels", teacher / "selected"
    if not (out / pseudo_folder.DESCRIPTION).exists():
        labelling.pseudo_label(labelling.Settings(str(teacher), Place("fashion_mnist", data, unlabelled), str(labels)))
        evaluation = Place("fashion_mnist", data, f"train[{LAST}:]+test")
        select(labels, out, Settings(per_class=PER_CLASS), evaluation=evaluation)
    return out


def trained(recipe, overrides, folder, data):
    """Accuracies on held-out images and on the test split, of a run that is trained unless it is whole."""
    path = folder / RESULT
    if not path.exists():
        accuracy = train(recipe_file.load(recipe, overrides), folder, data)
        with open(folder / run_folder.METRICS, encoding="utf-8", newline="") as file:
            last = list(csv.DictReader(file))[-1]
        result = {"validation": float(last["val_accuracy"]), "test": accuracy}
        with replacing(path) as partial:
            partial.write_text(json.dumps(result), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def run(network, seed, runs, data):
    """Does the trainings of a network and a seed; yields the name of each and its result."""
    labelled, unlabelled = parts(seed)
    folders = {name: runs / f"{network} {seed} {name}".replace(",", "").replace(" ", "_") for name, *_ in TRAININGS}
    for name, teacher, changes in TRAININGS:
        recipe = "fashion_mnist_semi" if teacher else "fashion_mnist_1000"
        overrides = [f"training.seed={seed}", f"data.train={labelled}", f"data.validation={VALIDATION}"]
        overrides += [*LENGTH[recipe], *NETWORKS[network], *changes]
        if teacher:
            overrides.append(f"data.pseudo.folder={selected(folders[teacher], unlabelled, data)}")
        yield name, trained(recipe, overrides, folders[name], data)


def plot(rows, path):
    """Draws a point for each training, and a bar for the mean of its kind."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    kinds, networks = [name for name, *_ in TRAININGS], list(NETWORKS)
    for column, network in enumerate(networks):
        for place, kind in enumerate(kinds):
            found = [row for row in rows if (row["network"], row["training"]) == (network, kind)]
            values = [float(row["test_accuracy_percent"]) for row in found]
            if values:
                position = place + 0.38 * (column - 0.5)
                axes.barh(position, np.mean(values), 0.36, color=f"C{column}", alpha=0.4, label=network)
                axes.plot(values, [position] * len(values), "o", color=f"C{column}", markersize=4)
    labels = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(labels.values(), labels.keys(), loc="lower right")
    lowest = min(float(row["test_accuracy_percent"]) for row in rows)
    axes.set_xlim(np.floor(lowest) - 2, None)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy (%), of each seed and the mean; the axis does not begin at 0")
    figure.savefig(path, dpi=120)


def main():
    """Trains, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of the idx files")
    parser.add_argument("--runs", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind (default: 3)")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        for network in NETWORKS:
            for name, result in run(network, seed, arguments.runs, arguments.data):
                percent = {f"{part}_accuracy_percent": f"{100 * result[part]:.2f}" for part in ("validation", "test")}
                rows.append({"network": network, "training": name, "seed": seed, **percent})
                print(*rows[-1].values(), sep="\t", flush=True)
                write_csv(TABLE, rows)
    plot(rows, RESULTS / f"{TABLE}.png")


if __name__ == "__main__":
    main()
