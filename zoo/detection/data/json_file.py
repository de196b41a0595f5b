"""JSON files that others wrote: their size is checked before they are read, and what is wrong is said in one line."""

import json
import os
from typing import Any

from lambda_keras.zoo.errors import UserError, shown

# Bytes; Python takes about six times as many for what is in it. COCO's largest file has 0.45 GB.
LARGEST_JSON = 2**31


def read_json(path: str | os.PathLike, largest: int = LARGEST_JSON) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.
        largest: How many bytes it may have.

    Returns:
        What is in it.

    Raises:
        UserError: There is no such file, it is too large, or it is not JSON.
    """
    if not os.path.isfile(path):
        raise UserError(f"no file {path}; give a JSON file")
    size = os.path.getsize(path)
    if size > largest:
        raise UserError(f"{path} has {size:,} bytes, over the limit of {largest:,}; split it into several files")
    try:
        with open(path, "rb") as file:
            return json.loads(file.read())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON file ({str(error) or 'nested too deeply'})") from error


def field(owner: dict, name: str, kind: type, where: str) -> Any:
    """Takes a value out of what was read.

    Args:
        owner: An object of the file.
        name: The key.
        kind: `int`, `str`, `list` or `dict`; `float` for any number. True and false are no numbers.
        where: Where the object stands, for the message.

    Returns:
        The value.

    Raises:
        UserError: There is none, or it is of another kind.
    """
    if not isinstance(owner, dict) or name not in owner:
        raise UserError(f"{where} has no {name}; it must be as in COCO's JSON files of objects (instances_*.json)")
    value = owner[name]
    if not is_kind(value, kind):
        raise UserError(f"{where}: {name} must be {_NAMES[kind]}, got {shown(value)}")
    return value


def is_kind(value: Any, kind: type) -> bool:
    """Whether a value is of a kind, as for `field`.

    Example:
        >>> is_kind(1, float), is_kind(True, int)
        (True, False)
    """
    kinds = (int, float) if kind is float else kind
    return isinstance(value, kinds) and not isinstance(value, bool)


_NAMES = {int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "an object"}
