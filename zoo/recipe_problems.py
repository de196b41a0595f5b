"""What is wrong with a recipe, in a line for each problem."""

import difflib
import typing
from collections.abc import Iterable
from typing import Any

from lambda_keras.zoo.errors import shown
from lambda_keras.zoo.recipe import AnyRecipe


def explain(
    problem: dict[str, Any],
    file_name: str,
    lines: dict[tuple[str, ...], int],
    from_command_line: set[tuple[str, ...]],
    recipe: type[AnyRecipe],
) -> str:
    """Says one problem in a line: where, which key, what was received, what is allowed.

    Args:
        problem: As pydantic describes it.
        file_name: What to call the recipe's origin.
        lines: The line of each key, where the origin is a file.
        from_command_line: The keys that overrides have given.
        recipe: The schema of the whole recipe.
    """
    key = problem["loc"]
    name = ".".join(map(str, key))
    if any(key[:depth] in from_command_line for depth in range(len(key) + 1)):
        where = "command line"
    else:
        # A missing key has no line of its own: its section's is the nearest.
        line = next((lines[key[:depth]] for depth in range(len(key), 0, -1) if key[:depth] in lines), 1)
        where = f"{file_name}, line {line}" if lines else file_name
        if any(override[: len(key)] == key for override in from_command_line):
            where += " and command line"
    if problem["type"] == "extra_forbidden":
        known = list(_fields(recipe, key[:-1]))
        return f"{where}: unknown key {name}{nearest(key[-1], known)} (allowed: {', '.join(known)})"
    if problem["type"] == "missing":
        return f"{where}: {name} is missing"
    if problem["type"] == "model_type":
        allowed = ", ".join(_fields(recipe, key))
        return f"{where}: {name} must have keys below it ({allowed}), got {shown(problem['input'])}"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if problem["type"] == "value_error":
        return f"{where}: {name}: {message}"
    return f"{where}: {name} {message}, got {shown(problem['input'])}{_bounds(recipe, key)}"


def _bounds(recipe, key):
    """The bounds of a value where the schema has such, as ` (allowed: above 0, at most 100)`."""
    field = _fields(recipe, key[:-1]).get(key[-1])
    if field is None:
        # A value within a value, such as one of `data.mean`.
        return ""
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    allowed = [
        f"{word} {getattr(bound, name)}"
        for bound in field.metadata
        for name, word in words.items()
        if hasattr(bound, name)
    ]
    if allowed and not field.is_required() and field.default is None:
        allowed.append("or null")
    return f" (allowed: {', '.join(allowed)})" if allowed else ""


def _fields(recipe, section):
    """The fields of a kind of recipe below a section, which is a tuple of keys; `()` is the recipe itself."""
    fields = recipe.model_fields
    for name in section:
        # Of a section that may be left out, its kind is one of several.
        kinds = (fields[name].annotation, *typing.get_args(fields[name].annotation)) if name in fields else ()
        fields = next((kind.model_fields for kind in kinds if hasattr(kind, "model_fields")), {})
    return fields


def nearest(name: str, known: Iterable[str]) -> str:
    """Asks whether the most similar of some names is meant, as `, did you mean 'digits'?`; empty if none is similar.

    Args:
        name: What was received.
        known: What is allowed.
    """
    matches = difflib.get_close_matches(str(name), known, n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""
