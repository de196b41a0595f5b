"""Cells of CSV files that a spreadsheet shows as they are: it would run one that begins like a formula."""

import re
from collections.abc import Iterable

# A spreadsheet takes an apostrophe before them for "this is text" and does not show it.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def neutral(row: Iterable[object]) -> list[object]:
    """Puts an apostrophe before the texts of a row that begin like a formula; numbers stay.

    Args:
        row: The cells.

    Returns:
        A list of cells for `csv.writer`.

    Example:
        >>> neutral(["=1+1", "apple", -0.5])
        ["'=1+1", 'apple', -0.5]
    """
    return [f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for cell in row]


def original(cell: str) -> str:
    """The text that `neutral` made a cell of.

    Args:
        cell: The cell, a string.

    Example:
        >>> original("'=1+1"), original("'s-Hertogenbosch")
        ('=1+1', "'s-Hertogenbosch")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
