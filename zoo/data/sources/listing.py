"""Which files of a folder or a table are to be looked at, and what is left out before any is opened."""

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lambda_keras.zoo.data.files.class_names import check_name
from lambda_keras.zoo.data.files.image_files import ENDINGS, first_below
from lambda_keras.zoo.data.files.parts import LAYOUT, part_folders, part_named
from lambda_keras.zoo.data.sources import image_table
from lambda_keras.zoo.data.sources.image_table import Row
from lambda_keras.zoo.errors import UserError

# Of the files that are left out for one reason.
EXAMPLES = 3


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not used.

    Attributes:
        path: The file or folder.
        reason: Why, in words that fit many files.
        split: The part that it would be of; `None` where there are no parts, or none of it is known.
    """

    path: Path
    reason: str
    split: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a source of images has.

    Attributes:
        rows: A `lambda_keras.zoo.data.sources.image_table.Row` for each image file; `split` is `None` where the source
            has no parts.
        left_out: A `LeftOut` for each file or folder that is none.
    """

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]


def described(left_out: Iterable[LeftOut]) -> list[str]:
    """Says what is left out, in a line for each reason.

    Args:
        left_out: The `LeftOut` of each file or folder.

    Example:
        >>> described([LeftOut(Path("a.png"), "an empty file"), LeftOut(Path("b.png"), "an empty file")])
        ['left out: 2 (an empty file): a.png, b.png']
    """
    by_reason = defaultdict(list)
    for file in left_out:
        by_reason[file.reason].append(shown(file.path))
    return [
        f"left out: {len(paths):,} ({reason}): {', '.join(paths[:EXAMPLES])}{', …' if len(paths) > EXAMPLES else ''}"
        for reason, paths in by_reason.items()
    ]


def shown(path: Path) -> str:
    """A path as text that can be printed and written, also where its name is not UTF-8."""
    return str(path).encode(errors="replace").decode()


def of_table(table: str | Path) -> Listing:
    """Lists the images of a CSV file, see `lambda_keras.zoo.data.sources.image_table.read`."""
    rows, left_out = [], []
    for row in image_table.read(table):
        reason = _reason(row.path)
        rows.append(row) if reason is None else left_out.append(LeftOut(row.path, reason, row.split))
    return Listing(tuple(rows), tuple(left_out))


def of_folder(folder: str | Path) -> Listing:
    """Lists the images of class folders, with or without folders `train`, `validation` and `test` above them.

    Args:
        folder: The folder. Hidden files and folders count as not there; links are followed.

    Raises:
        UserError: Beside the folder `train` are others than `validation` and `test`, or no image is where one is looked
            for.
    """
    folder = Path(folder)
    listings = [_of_classes(path, part) for part, path in part_folders(folder).items()] or [_of_classes(folder, None)]
    rows = tuple(row for listing in listings for row in listing.rows)
    if not rows:
        raise UserError(_other_layout(folder))
    return Listing(rows, tuple(left_out for listing in listings for left_out in listing.left_out))


def _other_layout(folder):
    """Says how the images of a folder should lie, and where they do."""
    if (name := first_below(folder)) is None:
        return f"{folder} has no image files (endings {', '.join(ENDINGS)}); the layout is {LAYOUT}"
    first = folder / name
    if first.parent == folder:
        return f"the images of {folder} are in no class folders; the layout is {LAYOUT}"
    top = first.parent.parent
    top = top.parent if part_named(top.name) and top != folder else top
    if top == folder:
        return f"{folder} has no images in class folders that can be used, such as {first}; the layout is {LAYOUT}"
    return f"the images of {folder} are in other folders than those of classes; give {top}? The layout is {LAYOUT}"


def _of_classes(folder, split):
    rows, left_out = [], []
    for path in _entries(folder):
        if not path.is_dir():
            left_out.append(LeftOut(path, "beside the class folders", split))
            continue
        if not _is_utf8(path):
            raise UserError(f"the name of the class folder {os.fsencode(path)!r} is not UTF-8; rename it")
        check_name(path.name, folder)
        images = []
        for file in _entries(path):
            reason = _reason(file)
            images.append(file) if reason is None else left_out.append(LeftOut(file, reason, split))
        rows += [Row(image, path.name, split) for image in images]
        if not images:
            left_out.append(LeftOut(path, "a class without images", split))
    return Listing(tuple(rows), tuple(left_out))


def _entries(folder):
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _reason(path):
    """Why a path is no image file, as far as its name shows; `None` if it may be one."""
    if not _is_utf8(path):
        return "a name that is not UTF-8"
    # Those of `os.path` also take names that are too long for a file.
    if os.path.isdir(path):
        return "a folder inside a class"
    if path.suffix.lower() not in ENDINGS:
        return f"not an image: it ends in none of {', '.join(ENDINGS)}"
    if not os.path.isfile(path):
        return "a link to nothing" if os.path.islink(path) else "not there, or not a file"
    return None


def _is_utf8(path):
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
