"""What was found in the data, for the terminal and for the report."""

import csv
from collections.abc import Sequence
from pathlib import Path

from lambda_keras.atomic import replacing
from lambda_keras.zoo.command_line import print_table
from lambda_keras.zoo.data.files import class_names, csv_cells
from lambda_keras.zoo.data.files.parts import PARTS
from lambda_keras.zoo.data.sources import listing
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.fine_tuning.file_check import FileCheck

# A table that is longer is not read: of more classes only the smallest are printed.
LONGEST_TABLE = 50
SMALLEST_CLASSES = 20
HUGE_PIXELS = 50_000_000


def images_of_classes(dataset: Dataset) -> list[tuple[str, int, int, int]]:
    """Counts the images of each class and part.

    Args:
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.

    Returns:
        A list of `(class name, training, validation, test images)`.
    """
    counts = [getattr(dataset, part).images_of_classes(len(dataset.class_names)).tolist() for part in PARTS]
    return list(zip(dataset.class_names, *counts, strict=True))


def print_classes(rows: Sequence[tuple[str, int, int, int]]) -> None:
    """Prints the table of classes, the sums below; of many classes only those with the fewest training images.

    Args:
        rows: From `images_of_classes`.
    """
    shown = rows
    if len(rows) > LONGEST_TABLE:
        shown = sorted(rows, key=lambda row: row[1])[:SMALLEST_CLASSES]
        print(f"the {SMALLEST_CLASSES} smallest of {len(rows):,} classes:")
    sums = (f"all {len(rows):,} classes", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))
    cells = [(name, *(f"{count:,}" for count in counts)) for name, *counts in (*shown, sums)]
    print_table(("class", *PARTS), cells, right=(1, 2, 3))


def remarks(check: FileCheck) -> list[str]:
    """What is to be known of a folder, each in a line.

    Args:
        check: A `lambda_keras.zoo.fine_tuning.file_check.FileCheck`.

    Returns:
        A list of strings.
    """
    images = sorted(check.images, key=lambda image: image.height * image.width)
    lines = [f"smallest image {_size(images[0])}, largest {_size(images[-1])}"]
    lines += class_names.alike(sorted({image.row.label for image in images}))
    if huge := [image for image in images if image.height * image.width > HUGE_PIXELS]:
        lines.append(f"{_count(huge)} over {HUGE_PIXELS:,} pixels: slow to read in every epoch, better made smaller")
    if check.copies:
        lines.append(f"{check.copies:,} copies of other images of their class: kept, in the same split as these")
    return lines + listing.described(check.left_out)


def write_left_out(check: FileCheck, path: Path) -> None:
    """Writes a CSV file of all that is left out, with the reasons."""
    with replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "reason"))
        writer.writerows(
            csv_cells.neutral((listing.shown(left_out.path), left_out.reason)) for left_out in check.left_out
        )


def _size(image):
    return f"{image.width}x{image.height} ({listing.shown(image.row.path)})"


def _count(images):
    return f"{len(images):,} image{'s' if len(images) > 1 else ''}"
