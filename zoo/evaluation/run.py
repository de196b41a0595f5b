"""`lambda-zoo evaluate`: a saved model and images with labels in; figures, a table of classes and a picture out."""

import csv
import json
import math
from pathlib import Path

import numpy as np

from lambda_keras.atomic import replacing
from lambda_keras.zoo import plots, run_folder
from lambda_keras.zoo.command_line import narrate, print_table, progress_bar, say
from lambda_keras.zoo.data import catalog, reading
from lambda_keras.zoo.data.files import csv_cells
from lambda_keras.zoo.data.limits import LARGEST_BATCH, MOST_PIXELS
from lambda_keras.zoo.data.sources import listing
from lambda_keras.zoo.errors import UserError, writing_to
from lambda_keras.zoo.evaluation.report import EvaluationReport, evaluate_probabilities
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.labelled_data import ALL, load
from lambda_keras.zoo.models.model_source import find

FIGURES = "evaluation.json"
CLASSES = "per_class.csv"
CONFUSION = "confusion_matrix.png"
# A table that is longer is not read: of more classes, only the worst are printed.
LONGEST_TABLE = 50
WORST_CLASSES = 20


def evaluate(
    source: str | Path,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    split: str = "test",
    image_size: int | None = None,
    evaluation_crop: float | None = None,
    batch_size: int = 64,
    out: str | Path | None = None,
    weights: str | None = None,
    most_pixels: int = MOST_PIXELS,
) -> EvaluationReport:
    """Evaluates a saved model, prints the result and writes it to a folder.

    The folder gets `evaluation.json` (what was evaluated, what was left out, and the figures), `per_class.csv` (the
    table of classes) and `confusion_matrix.png`. Images are cropped and resized as the model's record says, and never
    augmented.

    Args:
        source: A run folder, a file, a shared folder or a name, as `lambda_keras.zoo.models.model_source.find` takes
            it.
        data: A folder of class folders, a table of images or the name of a dataset, as for
            `lambda_keras.zoo.models.labelled_data.load`; by default the images that the model was trained on, which the
            record of a shared model does not say.
        data_dir: Of a name, or of the images that it was trained on: as for `lambda_keras.zoo.data.catalog.load`; of a
            table of images by default the `images.csv` beside the model.
        split: Which part: `train`, `validation` or `test`; of a folder or table without parts all images are taken.
        image_size: Side of the images in pixels, if not the record's.
        evaluation_crop: Share of the side that the central crop keeps, if not the record's.
        batch_size: Images that are classified at a time.
        out: The folder to write; by default `evaluation` beside the model, or in `runs/<its name>`.
        weights: For a registered model, the weights, as for `lambda_keras.zoo.models.model_source.find`.
        most_pixels: How many pixels an image file may have; others count as unreadable.

    Returns:
        A `lambda_keras.zoo.evaluation.report.EvaluationReport`.

    Raises:
        UserError: The model, its record or the data are missing or do not fit each other, or the folder cannot be
            written.
    """
    if not 1 <= batch_size <= LARGEST_BATCH:
        raise UserError(f"--batch-size must be 1 to {LARGEST_BATCH:,}, got {batch_size}")
    classifier = Classifier(find(source, weights), image_size)
    record = classifier.record
    if data is None:
        if record.dataset is None:
            raise UserError(
                f"it is not known on which images {classifier.name} was trained; give images of its classes with --data"
            )
        table = catalog.source_of(record.dataset).table_in_run
        data_dir = classifier.folder / table if table and data_dir is None else data_dir
    asked = {"image_size": image_size, "evaluation_crop": evaluation_crop}
    changes = {name: value for name, value in asked.items() if value is not None}
    asked_record = record.with_preprocessing(**changes)
    images = load("--data", data, asked_record, split, data_dir, most_pixels)
    count, preparation = images.split.count, images.data
    out = _make_folder(out or classifier.folder / run_folder.EVALUATION)

    narrate(f"{classifier.name} ({record.model}) on {images.name}, {images.part}: {count} images")
    for name, value in changes.items():
        narrate(f"{name} {value} instead of the record's {getattr(record.preprocessor, name)}")
    batches = progress_bar(images.batches(batch_size), total=math.ceil(count / batch_size), unit="batch")
    room = np.empty((count, len(record.class_names)), "float32")
    probabilities, labels, positions = reading.collect(
        batches, lambda batch: classifier.probabilities(batch.images, batch.valid), room
    )
    unread = images.unread(positions)
    # With --quiet too: without them an accuracy looks complete that is not.
    for line in listing.described([*images.left_out, *unread]):
        say(line)
    result = evaluate_probabilities(probabilities, labels, record.class_names)

    evaluated = {
        "source": classifier.name,
        "model": record.model,
        "dataset": images.name,
        "split": images.part,
        "split_expression": None if images.part == ALL else getattr(preparation, images.part),
        "image_size": preparation.image_size,
        "evaluation_crop": preparation.evaluation_crop,
        "interpolation": preparation.interpolation,
    }
    figures = {
        "images": result.images,
        "unreadable_images": count - len(labels),
        "left_out": len(images.left_out),
        "top_1": result.top_1,
        "top_5": result.top_5,
        "loss": result.loss,
        "calibration_error": result.calibration_error,
    }
    _print_figures(figures, preparation)
    _print_classes(result.classes)
    files = {"unreadable_files": _as_json(unread), "left_out_files": _as_json(images.left_out)}
    _write(out, {**evaluated, **figures, **files}, result, record.class_names)
    narrate(f"Wrote {out}")
    return result


def _as_json(files):
    return [{"path": listing.shown(file.path), "reason": file.reason} for file in files]


def _make_folder(path):
    folder = Path(path)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _print_figures(figures, data):
    rows = [
        ("image size", str(data.image_size)),
        ("central crop", f"{data.evaluation_crop:g}"),
        ("images", str(figures["images"])),
        ("images that could not be read", str(figures["unreadable_images"])),
        ("left out before they were read", str(figures["left_out"])),
        ("top-1", f"{figures['top_1']:.2%}"),
    ]
    if figures["top_5"] is not None:
        rows.append(("top-5", f"{figures['top_5']:.2%}"))
    rows.append(("loss", f"{figures['loss']:.4f}"))
    rows.append(("expected calibration error", f"{figures['calibration_error']:.4f}"))
    print()
    print_table(("figure", "value"), rows, right=(1,))


def _print_classes(classes):
    print()
    if len(classes) > LONGEST_TABLE:
        # A class of which there is no image, and that none is taken for, is neither good nor bad.
        classes = sorted(classes, key=lambda row: math.inf if math.isnan(row.f1) else row.f1)[:WORST_CLASSES]
        print(f"the {WORST_CLASSES} classes with the lowest F1 ({CLASSES} has all)")
    rows = [
        (row.name, str(row.images), _percent(row.recall), _percent(row.precision), _percent(row.f1)) for row in classes
    ]
    print_table(("class", "images", "recall", "precision", "F1"), rows, right=(1, 2, 3, 4))
    print()


def _percent(share):
    return "-" if math.isnan(share) else f"{share:.2%}"


def _write(folder, figures, result, class_names):
    with writing_to(folder):
        with replacing(folder / FIGURES) as partial:
            partial.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        with replacing(folder / CLASSES) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("class", "images", "recall", "precision", "f1"))
            for row in result.classes:
                shares = ("" if math.isnan(x) else x for x in (row.recall, row.precision, row.f1))
                writer.writerow(csv_cells.neutral((row.name, row.images, *shares)))
        with replacing(folder / CONFUSION) as partial:
            plots.confusion_matrix(result.confusion, class_names, partial)
