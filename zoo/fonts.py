"""Letters for names of classes: matplotlib's own font has no Chinese or Korean ones, an installed one may have them."""

import functools
import itertools
import logging
import sys
import unicodedata
import warnings
from collections.abc import Iterable
from pathlib import Path

import matplotlib
from matplotlib import font_manager

from lambda_keras.zoo.command_line import say

# It comes with matplotlib, and has Latin, Greek, Cyrillic, Arabic and more.
OWN = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
# A font that has a box for every character.
NO_LETTERS = "LastResort"


def add_for(names: Iterable[str]) -> None:
    """Has matplotlib draw names from now on, by installed fonts where its own lack letters; says what none has.

    Args:
        names: Names of classes, which are to be drawn.
    """
    missing = _characters_of(names)
    if not missing:
        return
    families = matplotlib.rcParams["font.family"]
    for family in families:
        missing -= _characters(font_manager.findfont(font_manager.FontProperties(family=[family])))
    while missing and (path := _best(missing)) is not None:
        families = [*families, _family(path)]
        missing -= _characters(path)
        # Where such a font has no bold letters, matplotlib takes the others and says so.
        logging.getLogger(font_manager.__name__).setLevel(logging.ERROR)
    matplotlib.rcParams["font.family"] = families
    if missing:
        _tell(frozenset(missing))
        # What matplotlib says of each of them.
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)


def pieces(text: str) -> list[tuple[Path, str]]:
    """Takes a text apart by the fonts that have its letters, for who cannot change them within a line.

    Args:
        text: What is to be written.

    Returns:
        The file of a font and what to write with it, from left to right. What matplotlib's font has is written with it,
        and most of the rest with an installed one.
    """
    missing = _characters_of([text])
    missing -= _characters(str(OWN)) if missing else set()
    if not missing or (other := _best(missing)) is None:
        return [(OWN, text)]
    has_other = missing & _characters(other)
    runs = itertools.groupby(text, lambda letter: Path(other) if ord(letter) in has_other else OWN)
    return [(path, "".join(letters)) for path, letters in runs]


def _characters_of(texts):
    """The numbers of the letters of some texts beyond ASCII, which every font has."""
    letters = {letter for text in texts if not text.isascii() for letter in text if not letter.isascii()}
    # Not what is a blank, or tells how to join letters.
    return {ord(letter) for letter in letters if unicodedata.category(letter)[0] not in "CZ"}


def _best(missing):
    """The installed font with the most of some characters, an upright one without serifs if several have as many."""

    def rank(path):
        name = Path(path).stem.lower()
        return len(missing & _characters(path)), "sans" in name, "regular" in name or "bold" not in name, path

    best = max(_installed(), key=rank, default=None)
    return best if best is not None and missing & _characters(best) else None


@functools.cache
def _installed():
    """The fonts of the system, also those that were installed after matplotlib had made its list, and those of it."""
    paths = {*font_manager.findSystemFonts(), *(entry.fname for entry in font_manager.fontManager.ttflist)}
    return [path for path in map(str, paths) if NO_LETTERS not in path]


@functools.cache
def _characters(path):
    """The numbers of the characters that a font has; none of a damaged one or of pictures, which have one size."""
    try:
        font = font_manager.get_font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()


def _family(path):
    listed = (entry.name for entry in font_manager.fontManager.ttflist if str(entry.fname) == path)
    name = next(listed, None)
    if name is None:
        font_manager.fontManager.addfont(path)
        name = next(entry.name for entry in font_manager.fontManager.ttflist if str(entry.fname) == path)
    return name


@functools.cache
def _tell(missing):
    letters = "".join(map(chr, sorted(missing)[:10])) + ("…" if len(missing) > 10 else "")
    say(
        f"no font here has {letters}: they are boxes in pictures; install one that has them, such as Noto Sans CJK",
        file=sys.stderr,
    )
