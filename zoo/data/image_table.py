"""Images that a CSV file lists: columns `path`, `label` and `split`; paths count from the folder of the file."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from lambda_keras.atomic import replacing
from lambda_keras.zoo.data.image_folder import PARTS
from lambda_keras.zoo.data.splits import FileSplit
from lambda_keras.zoo.errors import UserError

COLUMNS = ("path", "label", "split")
# The table of its images that a fine-tuning leaves beside the model.
FILE_IN_RUN = "images.csv"


@dataclass(frozen=True)
class Row:
    """One image of a table.

    Attributes:
        path: The file.
        label: The name of its class.
        split: `train`, `validation` or `test`; `None` where the table does not say.
    """

    path: Path
    label: str
    split: str | None


def load(table):
    """Loads the images of a table that says the split of each.

    Args:
        table: The CSV file.

    Returns:
        The class names (those of the training part, sorted), and three `lambda_keras.zoo.data.splits.FileSplit`:
        training, validation, test.

    Raises:
        UserError: There is no such file, it is not as described above, or a class has no training image.
    """
    rows = read(table)
    if any(row.split is None for row in rows):
        raise UserError(f"{table} must have the column split; `lambda-zoo fine-tune` splits images and writes a table")
    names = class_names(rows)
    if unknown := {row.label for row in rows} - set(names):
        raise UserError(f"{table}: class {min(unknown)} has no image of the split train")
    numbers = {name: number for number, name in enumerate(names)}
    parts = ([row for row in rows if row.split == part] for part in PARTS)
    return names, tuple(FileSplit([row.path for row in part], [numbers[row.label] for row in part]) for part in parts)


def class_names(rows):
    """The names of the classes of some rows in the order of their labels: those of the training part, sorted.

    Args:
        rows: Sequence of `Row`.
    """
    return tuple(sorted({row.label for row in rows if row.split == "train"}))


def read(table):
    """Reads a table.

    Args:
        table: The CSV file, UTF-8; the column `split` may be missing.

    Returns:
        A list of `Row`, in the order of the file.

    Raises:
        UserError: There is no such file, a column is missing, or a row is not as described above.
    """
    if table is None or not Path(table).is_file():
        raise UserError(f"a table of images is a CSV file with the columns {', '.join(COLUMNS)}, got {table}")
    try:
        text = Path(table).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {table}: {error}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if missing := {"path", "label"} - set(reader.fieldnames or ()):
        raise UserError(
            f"{table} has no column {min(missing)} (columns: {', '.join(reader.fieldnames or ()) or 'none'}); it needs "
            "path and label, and may have split"
        )
    return [_row(values, Path(table), reader.line_num) for values in reader]


def write(rows, table):
    """Writes a table that `load` reads.

    Args:
        rows: Sequence of `Row`; their paths are written as absolute ones.
        table: The CSV file.
    """
    with replacing(table) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows((row.path.absolute(), row.label, row.split) for row in rows)


def _row(values, table, line):
    path, label, split = (values.get(column) or None for column in COLUMNS)
    if path is None or label is None:
        raise UserError(f"{table}, line {line}: path and label must not be empty")
    if "split" in values and split not in PARTS:
        raise UserError(f"{table}, line {line}: split must be one of {', '.join(PARTS)}, got {split}")
    return Row(table.parent / path, label, split)
