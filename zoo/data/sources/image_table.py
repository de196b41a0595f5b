"""Images that a CSV file lists: columns `path`, `label` and `split`; paths count from the folder of the file."""

import codecs
import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lambda_keras.atomic import replacing
from lambda_keras.zoo.data.files import csv_cells
from lambda_keras.zoo.data.files.class_names import check_name
from lambda_keras.zoo.data.files.image_files import check_unpacked
from lambda_keras.zoo.data.files.parts import PARTS, part_named
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


def load(table: str | Path | None) -> tuple[tuple[str, ...], tuple[FileSplit, ...]]:
    """Loads the images of a table that says the split of each.

    Args:
        table: The CSV file; `None` where no `--data-dir` was given.

    Returns:
        The class names (those of the training part, sorted), and three `lambda_keras.zoo.data.splits.FileSplit`:
        training, validation, test.

    Raises:
        UserError: None is given, there is no such file, it is not as described above, or a class has no training image.
    """
    if table is None:
        columns = ", ".join(COLUMNS)
        raise UserError(f"data.name image_table needs a CSV file with the columns {columns}; give --data-dir")
    rows = read(table)
    if any(row.split is None for row in rows):
        raise UserError(f"{table} must have the column split; `lambda-zoo fine-tune` splits images and writes a table")
    names = class_names(rows)
    if unknown := {row.label for row in rows} - set(names):
        raise UserError(f"{table}: class {min(unknown)} has no image of the split train")
    numbers = {name: number for number, name in enumerate(names)}
    parts = ([row for row in rows if row.split == part] for part in PARTS)
    return names, tuple(FileSplit([row.path for row in part], [numbers[row.label] for row in part]) for part in parts)


def class_names(rows: Iterable[Row]) -> tuple[str, ...]:
    """The names of the classes of some rows in the order of their labels: those of the training part, sorted.

    Args:
        rows: Sequence of `Row`.
    """
    return tuple(sorted({row.label for row in rows if row.split == "train"}))


def read(table: str | Path) -> list[Row]:
    """Reads a table.

    Args:
        table: The CSV file, UTF-8, with commas between the fields; the column `split` may be missing, and its parts may
            have other names of `lambda_keras.zoo.data.files.parts`.

    Returns:
        A list of `Row`, in the order of the file.

    Raises:
        UserError: There is no such file, a column is missing, or a row is not as described above.
    """
    check_unpacked(table)
    if not os.path.isfile(table):
        problem = f"{table} is not a file" if os.path.exists(table) else f"no such file: {table}"
        raise UserError(
            f"{problem}; a table of images is a CSV file with the columns path and label, and split where it has parts"
        )
    reader = csv.DictReader(io.StringIO(_text(table), newline=""))
    try:
        _check_columns(reader.fieldnames or (), table)
        return [_row(values, Path(table), reader) for values in reader]
    except csv.Error as error:
        raise UserError(
            f"{table}, after line {reader.line_num}: no row of a CSV file ({error}); is a quotation mark left open?"
        ) from error


def write(rows: Iterable[Row], table: Path) -> None:
    """Writes a table that `load` reads.

    Args:
        rows: Sequence of `Row`; their paths are written as absolute ones.
        table: The CSV file.
    """
    with replacing(table) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(csv_cells.neutral((row.path.absolute(), row.label, row.split)) for row in rows)


def _text(table):
    try:
        content = Path(table).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {table}: {error.strerror}") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise UserError(f"{table} is no text in UTF-8 (UTF-16 perhaps); save it as CSV in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{table}, line {line}: not UTF-8 ({error.reason}); save it as CSV in UTF-8") from error


def _check_columns(columns, table):
    named = ", ".join(columns) or "none"
    if missing := {"path", "label"} - set(columns):
        raise UserError(
            f"{table} has no column {min(missing)} (columns: {named}); it needs path and label, and may have split, "
            "with commas between them"
        )
    if twice := [column for column in COLUMNS if columns.count(column) > 1]:
        raise UserError(f"{table} has the column {twice[0]} twice (columns: {named}); leave one out")


def _row(values, table, reader):
    where = f"{table}, line {reader.line_num}"
    if None in values:
        count, columns = len(values) - 1 + len(values[None]), len(reader.fieldnames)
        raise UserError(
            f"{where}: {count} fields, but the header has {columns}; a field that holds a comma stands in quotation "
            'marks, such as "apple, green"'
        )
    path, label, split = (values.get(column) or None for column in COLUMNS)
    if path is None or label is None:
        raise UserError(f"{where}: path and label must not be empty")
    label = csv_cells.original(label)
    check_name(label, where)
    part = None if split is None else part_named(split)
    if "split" in values and part is None:
        received = "nothing; or leave the column out, and fine-tune splits the images" if split is None else split
        raise UserError(f"{where}: split must be one of {', '.join(PARTS)}, got {received}")
    image = table.parent / path
    if "\\" in path and not os.path.lexists(image):
        raise UserError(f"{where}: there is no file {path}; folders are separated by / here, not by \\")
    return Row(image, label, part)
