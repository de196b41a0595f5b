"""`lambda-zoo detect evaluate`: a detector and pictures with objects in; COCO's figures for boxes and masks out."""

import json
import math
from pathlib import Path

import tensorflow as tf

from lambda_keras.atomic import replacing
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.command_line import narrate, print_table, progress_bar, say
from lambda_keras.zoo.data.limits import LARGEST_BATCH, MOST_PIXELS
from lambda_keras.zoo.detection import evaluator
from lambda_keras.zoo.detection.data import catalog
from lambda_keras.zoo.detection.data.input_pipeline import evaluation_batches
from lambda_keras.zoo.detection.data.parts import Category, Part
from lambda_keras.zoo.detection.evaluator import Figures, Kind
from lambda_keras.zoo.detection.found import FILES, Found, Results, add_results, no_results
from lambda_keras.zoo.detection.loading import Detector, load
from lambda_keras.zoo.errors import UserError, writing_to

FIGURES = "evaluation.json"
HEADER = ("", "AP", "AP50", "AP75", "AP_s", "AP_m", "AP_l")


def evaluate(
    source: str | Path,
    data: str,
    part: str = "val",
    images: str | Path | None = None,
    data_dir: str | Path | None = None,
    batch_size: int = 4,
    out: str | Path | None = None,
    most_pixels: int = MOST_PIXELS,
) -> dict[Kind, Figures]:
    """Evaluates a detector, prints COCO's figures and writes them to a folder.

    The folder gets `evaluation.json` (what was evaluated, and the figures), and what was found as COCO's results:
    `boxes.json` and, of a detector with masks, `masks.json`.

    Args:
        source: A run folder or a file, as `lambda_keras.zoo.detection.loading.load` takes it.
        data: As for `lambda_keras.zoo.detection.data.catalog.load`, and so the next three.
        part: Which part of the data.
        images: The folder of the pictures.
        data_dir: The folder of TensorFlow Datasets.
        batch_size: Pictures that are looked at together.
        out: The folder to write; by default `evaluation` beside the model.
        most_pixels: How many pixels an image file may have; others count as unreadable.

    Returns:
        The figures of boxes and, of a detector with masks, of masks.

    Raises:
        UserError: The detector, its record or the data are missing or do not fit each other, or the folder cannot be
            written.
    """
    if not 1 <= batch_size <= LARGEST_BATCH:
        raise UserError(f"--batch-size must be 1 to {LARGEST_BATCH:,}, got {batch_size}")
    detector = load(source)
    loaded = catalog.load(data, part, detector.record.has_masks, images, data_dir)
    _check_categories(loaded.categories, detector.record.categories, data)
    folder = Path(out or detector.folder / run_folder.EVALUATION)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    narrate(f"{detector.name} on {data}, {part}: {loaded.split.count:,} pictures")
    for words in loaded.left_out():
        say(f"skipped: {words}")
    results, image_ids = find_all(detector, loaded, batch_size, most_pixels)
    if not image_ids:
        raise UserError(f"none of the {loaded.split.count:,} pictures of {data} could be read")
    truth = evaluator.ground_truth(loaded)
    figures = {kind: evaluator.evaluate(truth, found, kind, image_ids) for kind, found in results.items()}
    unreadable = loaded.split.count - len(image_ids)
    print_figures(figures)
    print(f"pictures that could not be read: {unreadable:,} of {loaded.split.count:,}")
    with writing_to(folder):
        for kind, found in results.items():
            evaluator.write_results(found, folder / FILES[kind])
        evaluated = {"source": detector.name, "data": data, "part": part, "pictures": len(image_ids)}
        content = {**evaluated, "unreadable_pictures": unreadable}
        content |= {kind: of_kind._asdict() for kind, of_kind in figures.items()}
        with replacing(folder / FIGURES) as partial:
            partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    narrate(f"Wrote {folder}")
    return figures


def find_all(
    detector: Detector, part: Part, batch_size: int, most_pixels: int = MOST_PIXELS
) -> tuple[Results, list[int]]:
    """Finds the objects of all pictures of a part.

    Args:
        detector: A `lambda_keras.zoo.detection.loading.Detector`.
        part: The `lambda_keras.zoo.detection.data.parts.Part`.
        batch_size: Pictures that are looked at together.
        most_pixels: How many pixels an image file may have; others count as unreadable.

    Returns:
        Results in COCO's format, of boxes and, of a detector with masks, of masks; and the numbers of the pictures
        that could be read.
    """
    find = tf.function(detector.find, autograph=False)
    results = no_results(detector.record.has_masks)
    categories, image_ids = detector.record.categories, []
    batches = evaluation_batches(part, image_size=detector.image_size, batch_size=batch_size, most_pixels=most_pixels)
    for batch in progress_bar(batches, total=math.ceil(part.split.count / batch_size), unit="batch"):
        detections = find(batch["image"], batch["source_size"])
        for row in batch["valid"].numpy().nonzero()[0]:
            image_id = int(batch["image_id"][row])
            found = Found.of(detections, row, batch["source_size"][row].numpy())
            image_ids.append(image_id)
            add_results(results, found.results(image_id, categories))
    return results, image_ids


def print_figures(figures: dict[Kind, Figures]) -> None:
    """Prints figures as a table of percentages, `–` where there is no object to find.

    Args:
        figures: Of each kind its `lambda_keras.zoo.detection.evaluator.Figures`.
    """
    rows = [(kind, *map(_percent, of_kind)) for kind, of_kind in figures.items()]
    print_table(HEADER, rows, right=range(1, len(HEADER)))


def _percent(share):
    return "–" if share is None else f"{share * 100:.1f}"


def _check_categories(received: tuple[Category, ...], expected: tuple[Category, ...], data: str) -> None:
    """Refuses data whose classes mean other things than the detector's."""
    if received == expected:
        return
    other = next((pair for pair in zip(received, expected, strict=False) if pair[0] != pair[1]), None)
    first = f"; the first that differs is {tuple(other[0])}, the detector's is {tuple(other[1])}" if other else ""
    raise UserError(
        f"{data} has {len(received)} categories, the detector {len(expected)}{first}; give data with the categories "
        "that it was trained with"
    )
