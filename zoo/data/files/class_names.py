"""The names of classes: what is no name, and which look alike."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from lambda_keras.text import escaped, is_line
from lambda_keras.zoo.errors import UserError


def check_name(name: str, where: str | Path) -> None:
    """Refuses a name that is not one line: files have a class on each line, and a terminal prints it.

    Args:
        name: The name.
        where: Where it stands, for the message.

    Raises:
        UserError: It has a line break or another control character.
    """
    if not is_line(name):
        raise UserError(
            f"{where}: the name of a class is one line without control characters, got '{escaped(name)}'; rename it"
        )


def folder_name(name: str) -> str:
    """What a folder of images of a class is called: a slash, as in Fashion-MNIST's, would make it two folders.

    Example:
        >>> folder_name("T-shirt/top")
        'T-shirt-top'
    """
    return name.replace("/", "-")


def numbered(classes: int) -> tuple[str, ...]:
    """The names of classes that have none: their numbers.

    Args:
        classes: How many there are.

    Example:
        >>> numbered(3)
        ('0', '1', '2')
    """
    return tuple(map(str, range(classes)))


def alike(names: Iterable[str]) -> list[str]:
    """Remarks on names that differ by case, blanks or the spelling of a character alone, so are probably one class.

    Args:
        names: The names of all classes.

    Returns:
        A list of strings.

    Example:
        >>> alike(["apple", "Apple ", "pear"])
        ["the classes 'apple' and 'Apple ' differ by case or blanks alone: are they one?"]
    """
    by_letters = defaultdict(list)
    for name in names:
        by_letters["".join(unicodedata.normalize("NFKC", name).split()).casefold()].append(name)
    return [
        f"the classes {' and '.join(map(repr, group))} differ by case or blanks alone: are they one?"
        for group in by_letters.values()
        if len(group) > 1
    ]
