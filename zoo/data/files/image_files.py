"""Image files by their names: which endings count, what is below a folder, and what somebody typed; none is opened."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from lambda_keras.zoo.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp")
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
# Of a list in a message.
MOST_NAMED = 5


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image: hidden files are none, upper case counts as lower case.

    Example:
        >>> is_image("photo.JPG"), is_image("._photo.jpg"), is_image("notes.txt")
        (True, False, False)
    """
    return name.lower().endswith(ENDINGS) and not name.startswith(".")


def below(folder: str | Path) -> list[str]:
    """The image files in a folder and in all folders in it, as sorted paths from there; what is hidden does not count.

    Args:
        folder: The folder. Links to files are followed, links to folders are not.
    """
    return sorted(_walk(folder))


def first_below(folder: str | Path) -> str | None:
    """One of them, without looking for the others; `None` where there is none."""
    return next(_walk(folder), None)


def _walk(folder):
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        base = os.path.relpath(parent, folder)
        yield from (os.path.normpath(os.path.join(base, name)) for name in sorted(files) if is_image(name))


def find(words: Iterable[str | Path]) -> list[Path]:
    """Finds what somebody typed.

    Args:
        words: Files, whatever their ending; folders, for all image files in them and below; and patterns as in a
            shell, in which `**` stands for folders at any depth. What exists is no pattern.

    Returns:
        The files in the order of the words, those of a folder or pattern sorted.

    Raises:
        UserError: A file is not there or an archive, a folder has no image files, or nothing is as a pattern says; one
            line names all of them.

    Example:
        >>> find(["photo.jpg", "pictures", "holidays/*.png"])  # doctest: +SKIP
        [PosixPath('photo.jpg'), PosixPath('pictures/1.jpg'), …]
    """
    found: list[Path] = []
    missing: list[str] = []
    for word in words:
        path = Path(word)
        # That of `os.path` also takes names that are too long for a file.
        if os.path.isdir(path):
            files = [path / name for name in below(path)]
            missing += [] if files else [f"no image files (endings {', '.join(ENDINGS)}) in {path}"]
        elif os.path.exists(path):
            check_unpacked(path)
            files = [path]
        elif glob.has_magic(str(word)):
            files = [Path(name) for name in sorted(glob.glob(str(word), recursive=True)) if os.path.isfile(name)]
            missing += [] if files else [f"no file is as the pattern {word} says"]
        else:
            files = []
            missing.append(f"no such file: {word}")
        found += files
    if missing:
        others = len(missing) - MOST_NAMED
        raise UserError("; ".join(missing[:MOST_NAMED]) + (f"; and {others} more" if others > 0 else ""))
    return found


def check_unpacked(path: str | Path) -> None:
    """Refuses an archive: what is in it is not known before it is unpacked.

    Raises:
        UserError: It is one, by its ending.
    """
    if Path(path).suffix.lower() in ARCHIVES and not os.path.isdir(path):
        raise UserError(f"{path} is an archive; unpack it and give the folder that comes out")
