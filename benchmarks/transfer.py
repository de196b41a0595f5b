"""Fine-tunes on a folder of pictures from several starts, and compares the accuracies.

    apt-get install openclipart-png
    python -m benchmarks.transfer --data /usr/share/openclipart/png --runs runs/transfer

The pictures are Debian's openclipart: drawings, of which eight categories with 66 to 345 pictures each are taken, laid
over white and made smaller once: decoding drawings of up to 168 megapixels again in every epoch takes longer than the
training. For each start five models are trained, each on four fifths of the pictures, and tested on the remaining fifth
(stratified; the same folds for all starts). Each training is one `lambda-zoo fine-tune` with its default settings; what
it needs for validation it takes from the four fifths. The figure is balanced accuracy, the mean of the recalls.

The random start sees the images that the weights of Fashion-MNIST want, 28×28 and grey. What else differs is what the
command does for each start: for random weights one phase, learning rate 0.001, BatchNorm trained; for others first the
classifier alone, then smaller learning rates from stage to stage, BatchNorm frozen.

Where a network exists, `--starts lambda_resnet26t.c1_in1k` compares with ImageNet's weights too. Writes
results/transfer.csv, a row per training, and results/transfer.png.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, train_test_split

from benchmarks.timing import RESULTS, write_csv
from lambda_keras.applications import preprocessor_of
from lambda_keras.atomic import replacing
from lambda_keras.zoo.data.sources.image_table import Row, write
from lambda_keras.zoo.fine_tuning.run import fine_tune
from lambda_keras.zoo.fine_tuning.settings import Settings

CATEGORIES = ("animals", "buildings", "food", "office", "people", "plants", "tools", "transportation")
# The longer side of the copies: more than any of the networks looks at.
SIDE = 320
FOLDS = 5
VALIDATION_SHARE = 0.15
PRETRAINED = "lambda_resnet_tiny.fashion_mnist"
STARTS = ("lambda_resnet_tiny.none", PRETRAINED)


def find_pictures(folder, categories=CATEGORIES):
    """The files of the categories, in a fixed order, and the category of each."""
    pairs = [(path, name) for name in categories for path in sorted((folder / name).rglob("*.png"))]
    # The package has some pictures in several places, as links to one of them.
    pairs = [(path, name) for path, name in pairs if not path.is_symlink()]
    paths, labels = zip(*pairs, strict=True)
    return np.array(paths), np.array(labels)


def copy_small(paths, folder):
    """Writes each picture over white, with its longer side of at most `SIDE` pixels, unless its copy is there.

    Args:
        paths: The files [n].
        folder: Where the copies go.

    Returns:
        Their paths [n].
    """
    folder.mkdir(parents=True, exist_ok=True)
    Image.MAX_IMAGE_PIXELS = None  # the files are Debian's
    copies = [folder / f"{number:04}.png" for number in range(len(paths))]
    for path, copy in zip(paths, copies, strict=True):
        if copy.exists():
            continue
        picture = Image.open(path).convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        picture.thumbnail((SIDE, SIDE))
        with replacing(copy) as partial:
            picture.save(partial, "PNG")
    return np.array(copies)


def write_folds(paths, labels, folder):
    """Writes a table of images for each fold.

    Args:
        paths: The files [n].
        labels: The category of each [n].
        folder: Where the tables go.

    Returns:
        Their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = []
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(paths, labels)
    for number, (rest, test) in enumerate(folds):
        train, validation = train_test_split(
            rest, test_size=VALIDATION_SHARE, stratify=labels[rest], random_state=number
        )
        parts = {"train": train, "validation": validation, "test": test}
        rows = [Row(paths[i], str(labels[i]), part) for part, indices in parts.items() for i in indices]
        tables.append(folder / f"fold_{number}.csv")
        write(rows, tables[-1])
    return tables


def same_images():
    """Settings by which a start without weights sees the images of `PRETRAINED`."""
    preprocessor = preprocessor_of(PRETRAINED)
    return (
        f"data.image_size={preprocessor.image_size}",
        f"data.channels={len(preprocessor.mean)}",
        f"data.mean={list(preprocessor.mean)}",
        f"data.std={list(preprocessor.std)}",
    )


def balanced_accuracy(predictions):
    """The mean of the classes' recalls, 0 to 1, from the predictions that `lambda-zoo fine-tune` writes."""
    with open(predictions, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return balanced_accuracy_score([row["label"] for row in rows], [row["predicted"] for row in rows])


def plot(rows, path):
    """Draws a point for each fold and a bar for the mean of each start."""
    from matplotlib.figure import Figure

    starts = list(dict.fromkeys(row["start"] for row in rows))
    figure = Figure(figsize=(6, 1.2 + 0.6 * len(starts)), layout="constrained")
    axes = figure.subplots()
    for position, start in enumerate(starts):
        values = [float(row["balanced_accuracy_percent"]) for row in rows if row["start"] == start]
        axes.barh(position, np.mean(values), color="tab:blue", alpha=0.35)
        axes.plot(values, [position] * len(values), "o", color="tab:blue")
    axes.axvline(100 / len(CATEGORIES), color="black", linestyle=":", label="chance")
    axes.set_yticks(range(len(starts)), starts)
    axes.invert_yaxis()
    axes.set_xlabel("balanced accuracy (%), five folds and their mean")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def main():
    """Trains, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of openclipart's categories")
    parser.add_argument("--runs", type=Path, default=Path("runs/transfer"), help="folder for the runs")
    parser.add_argument("--starts", nargs="*", default=(), metavar="MODEL.WEIGHTS", help=f"beside {', '.join(STARTS)}")
    options = parser.parse_args()
    paths, labels = find_pictures(options.data)
    paths = copy_small(paths, options.runs / "pictures")
    tables = write_folds(paths, labels, options.runs / "folds")
    rows = []
    for start in (*STARTS, *options.starts):
        model, _, weights = start.partition(".")
        for fold, table in enumerate(tables):
            out = options.runs / start / str(fold)
            overrides = same_images() if weights == "none" else ()
            settings = Settings(data=str(table), model=model, weights=weights, out=str(out), overrides=overrides)
            result = fine_tune(settings)
            accuracy = balanced_accuracy(out / "predictions.csv")
            rows.append(
                {
                    "start": start,
                    "fold": fold,
                    "pictures": len(paths),
                    "test_pictures": result.images,
                    "balanced_accuracy_percent": f"{100 * accuracy:.1f}",
                    "accuracy_percent": f"{100 * result.top_1:.1f}",
                }
            )
            print(*rows[-1].values(), sep="\t", flush=True)
            write_csv("transfer", rows)
    plot(rows, RESULTS / "transfer.png")


if __name__ == "__main__":
    main()
