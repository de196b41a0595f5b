"""Trains a detector with lambda layers and one with 3×3 convolutions, several seeds each, and compares what they find.

    lambda-zoo detect stamps --out stamps
    python -m benchmarks.stamps --data stamps --runs runs/stamps

Each training is that of `lambda-zoo detect train` with a recipe, and each evaluation that of `lambda-zoo detect
evaluate`. Beside them stand what knows nothing of the pictures: a detector that was not trained, and the constant box,
which finds in every picture one object of each category, where the median one of the training pictures is. Trainings
that are in the folder of runs already are not done again. Writes results/stamps.csv.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.timing import RESULTS, write_csv
from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.detection import evaluator
from lambda_keras.zoo.detection.data import catalog
from lambda_keras.zoo.detection.evaluate import FIGURES, evaluate
from lambda_keras.zoo.detection.found import Found, add_results, no_results
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.detection.run import train

RECIPES = {"lambda layers": "stamps", "3x3 convolutions": "stamps_convolutions"}
NOT_TRAINED = ("training.steps=1", "training.warmup_steps=0", "training.learning_rate=1e-9")


def trained(recipe, data, folder, *overrides):
    """The figures of a detector, which is trained first unless the folder has it already."""
    path = folder / run_folder.EVALUATION / FIGURES
    if not path.exists():
        parts = catalog.load_for_training(data, with_masks=True)
        train(recipe_file.load_as(DetectorRecipe, recipe, list(overrides)), folder, *parts)
        evaluate(folder, data)
    figures = json.loads(path.read_text())
    return {kind: evaluator.Figures(**figures[kind]) for kind in ("boxes", "masks")}


def seconds_of(folder):
    """How long a training took, evaluations included."""
    rows = (folder / run_folder.METRICS).read_text().splitlines()
    column = rows[0].split(",").index("seconds")
    return sum(float(row.split(",")[column]) for row in rows[1:])


def constant_box(data):
    """The figures of one box for each category, the same in every picture."""
    training, validation = catalog.load_for_training(data, with_masks=True)
    boxes = {number: [] for number in range(1, 1 + len(training.categories))}
    for picture in training.split.labels().as_numpy_iterator():
        height, width = picture.size
        for (x, y, across, down), number in zip(picture.coco_boxes, picture.classes, strict=True):
            boxes[number].append((y / height, x / width, (y + down) / height, (x + across) / width))
    # The more frequent a category, the surer; one that there is not in training is found nowhere.
    order = sorted((number for number in boxes if boxes[number]), key=lambda number: -len(boxes[number]))
    scores = np.array([len(boxes[number]) / training.split.count for number in order])
    medians = np.array([np.median(boxes[number], axis=0) for number in order])
    results = no_results(with_masks=True)
    for picture in validation.split.labels().as_numpy_iterator():
        size = tuple(picture.size.tolist())
        found = Found(
            size, medians * np.tile(size, 2), np.array(order), scores, np.ones((len(order), 28, 28), "float32")
        )
        add_results(results, found.results(int(picture.image_id), validation.categories))
    truth = evaluator.ground_truth(validation)
    return {kind: evaluator.evaluate(truth, entries, kind) for kind, entries in results.items()}


def row_of(detector, seed, figures, seconds=""):
    """A row of the CSV."""
    columns = {
        f"{kind}_{name}": value for kind, of_kind in figures.items() for name, value in of_kind._asdict().items()
    }
    rounded = {name: "" if value is None else f"{value:.4f}" for name, value in columns.items()}
    return {"detector": detector, "seed": seed, "seconds": seconds, **rounded}


def main():
    """Trains, evaluates and writes what it measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of `lambda-zoo detect stamps`")
    parser.add_argument("--runs", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each recipe (default: 3)")
    arguments = parser.parse_args()
    rows = [row_of("constant box", "", constant_box(arguments.data))]
    print("# not trained", flush=True)
    rows.append(
        row_of("not trained", 0, trained("stamps", arguments.data, arguments.runs / "not_trained", *NOT_TRAINED))
    )
    for seed in range(arguments.seeds):
        for detector, recipe in RECIPES.items():
            folder = arguments.runs / f"{recipe}_{seed}"
            print(f"# {detector}, seed {seed}", flush=True)
            figures = trained(recipe, arguments.data, folder, f"training.seed={seed}")
            rows.append(row_of(detector, seed, figures, round(seconds_of(folder))))
            print(*rows[-1].values(), flush=True)
    write_csv("stamps", rows)
    print(RESULTS / "stamps.csv")


if __name__ == "__main__":
    main()
