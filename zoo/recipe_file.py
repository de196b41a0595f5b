"""Reads recipes (YAML), applies overrides, and says of every error where it stands and what is allowed."""

import difflib
import importlib.resources
import itertools
import math
import re
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from lambda_keras.zoo.errors import UserError, shown
from lambda_keras.zoo.recipe import AnyRecipe, Data, Recipe

_ZOO = importlib.resources.files("lambda_keras.zoo")
_Schema = TypeVar("_Schema", bound=AnyRecipe)
# model, overrides and one key below them: deeper values are plain data and need no line number.
_DEEPEST_SECTION = 2
# What YAML's own types raise for a date that no calendar has, a number of 5,000 digits, a list as a key and the like.
_NOT_A_VALUE = (ValueError, TypeError, OverflowError)
# Values in a recipe, those that aliases repeat counted each time: a few lines of anchors can stand for billions.
_MOST_VALUES = 10_000


def packaged(schema: type[AnyRecipe] = Recipe) -> dict[str, Traversable]:
    """Returns the recipes that come with the package, `{name: file}`, sorted by name and numbers in it by value.

    Args:
        schema: Of which task.

    Example:
        >>> "digits" in packaged()
        True
    """
    folder = _ZOO.joinpath(schema.FOLDER)
    files = {file.name.removesuffix(".yaml"): file for file in folder.iterdir() if file.name.endswith(".yaml")}
    return {name: files[name] for name in sorted(files, key=_words_and_numbers)}


def _words_and_numbers(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def find(source: str | Path, schema: type[AnyRecipe] = Recipe) -> Traversable:
    """Returns the file of a recipe.

    Args:
        source: Name of a packaged recipe, or the path of a `.yaml` file.
        schema: Of which task.

    Raises:
        UserError: There is no such recipe or file.
    """
    known = packaged(schema)
    if str(source).endswith((".yaml", ".yml")):
        path = Path(source)
        if not path.is_file():
            raise UserError(f"no recipe file {source}; packaged recipes: {', '.join(known)}")
        return path
    if source not in known:
        raise UserError(
            f"unknown recipe {source!r}{_nearest(source, known)}; known: {', '.join(known)}, or give the path of a "
            ".yaml file"
        )
    return known[source]


def load(source: str | Path, overrides: Iterable[str] = (), schema: type[_Schema] = Recipe) -> _Schema:
    """Reads and checks a recipe.

    Args:
        source: Name of a packaged recipe, or the path of a `.yaml` file.
        overrides: Strings `key=value` with dotted keys, applied in order, such as `"training.epochs=3"`.
        schema: Of which task; by default it is of a classifier.

    Returns:
        A recipe of that schema.

    Raises:
        UserError: The recipe is missing or wrong; one line with file, line, key, what was received and what is
            allowed.

    Example:
        >>> load("digits", ["training.epochs=7"]).training.epochs
        7
    """
    file = find(source, schema)
    values, lines = _parse(_text(file), file.name)
    return of_values(values, overrides, file.name, lines, schema)


def of_values(
    values: dict[str, Any],
    overrides: Iterable[str],
    name: str,
    lines: dict[tuple[str, ...], int] | None = None,
    schema: type[_Schema] = Recipe,
) -> _Schema:
    """Makes a recipe of a dictionary.

    Args:
        values: The recipe's sections, with their keys and values.
        overrides: As for `load`.
        name: What to call its origin in messages.
        lines: `{(section, key, …): line}` where the origin is a file.
        schema: As for `load`.

    Returns:
        A recipe of that schema.

    Raises:
        UserError: As for `load`.
    """
    from_command_line = {_override(values, override) for override in overrides}
    return _validate(schema, schema, (), values, name, lines or {}, from_command_line)


def data_of_values(values: dict[str, Any], overrides: Iterable[str], name: str) -> Data:
    """Makes the section `data` alone of a dictionary, where what a recipe says besides is not known yet.

    Args:
        values: The keys and values of `data`.
        overrides: As for `load`; those of other sections do not count.
        name: What to call its origin in messages.

    Returns:
        A `lambda_keras.zoo.recipe.Data`.

    Raises:
        UserError: As for `load`.
    """
    sections = {"data": dict(values)}
    overrides = [override for override in overrides if override.startswith("data.")]
    from_command_line = {_override(sections, override) for override in overrides}
    return _validate(Recipe, Data, ("data",), sections["data"], name, {}, from_command_line)


def value_of_override(key: str, overrides: Iterable[str], default: Any) -> Any:
    """Returns the value that the last override of a key has; `default` where there is none.

    Example:
        >>> value_of_override("data.image_size", ["data.image_size=64"], 32)
        64
    """
    values: dict[str, Any] = {}
    for override in overrides:
        if override.partition("=")[0] == key:
            _override(values, override)
    for name in key.split("."):
        values = values.get(name, {})
    return values or default


def _validate(recipe, schema, section, values, name, lines, from_command_line):
    """Makes a section of a kind of recipe, which `section` says the keys of, `()` for the whole."""
    try:
        return schema.model_validate(values)
    except pydantic.ValidationError as error:
        problems = [
            _explain({**problem, "loc": (*section, *problem["loc"])}, name, lines, from_command_line, recipe)
            for problem in error.errors()
        ]
        raise UserError("; ".join(problems)) from error


def expected(name: str, schema: type[AnyRecipe] = Recipe) -> str:
    """Returns what the first comment line of a packaged recipe says to expect, such as `98.7 %`.

    Args:
        name: Of the recipe.
        schema: Of which task.
    """
    first = _text(packaged(schema)[name]).partition("\n")[0]
    match = re.match(rf"# {schema.EXPECTATION}: (.+?)\.?$", first)
    if not match:
        raise ValueError(f"recipe {name!r} must begin with '# {schema.EXPECTATION}: …', got {first!r}")
    return match[1]


def dump(recipe: AnyRecipe) -> str:
    """Returns a recipe as YAML text with every key written out, which `load` reads back."""
    comment = f"# A resolved recipe: every key is written out. `{recipe.COMMAND} --recipe <this file>` trains it.\n"
    return comment + yaml.safe_dump(recipe.model_dump(), sort_keys=False)


def _text(file):
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the recipe {file}: {error}") from error


def _parse(text, file_name):
    """Returns a YAML mapping as a dictionary, and `{(key, …): line}` of all its keys."""
    lines: dict[tuple[str, ...], int] = {}
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        _check_count(root, file_name)
        if not isinstance(root, yaml.MappingNode):
            raise UserError(f"{file_name}: a recipe has the sections {', '.join(Recipe.model_fields)}, but got none")
        return _unfold(loader, root, (), lines, file_name), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise UserError(f"{file_name}, line {mark.line + 1}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{file_name}: not valid YAML: {error}") from error
    except RecursionError as error:
        raise UserError(f"{file_name}: not valid YAML: lists or keys within each other, far too deep") from error


def _unfold(loader, node, section, lines, file_name):
    if not isinstance(node, yaml.MappingNode) or len(section) > _DEEPEST_SECTION:
        try:
            return loader.construct_object(node, deep=True)
        except _NOT_A_VALUE as error:
            line = node.start_mark.line + 1
            raise UserError(f"{file_name}, line {line}: {'.'.join(section)} is not a YAML value: {error}") from error
    values = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in values:
            first = lines[(*section, key)]
            raise UserError(f"{file_name}, line {line}: {'.'.join((*section, key))} stands on line {first} already")
        lines[(*section, key)] = line
        values[key] = _unfold(loader, value_node, (*section, key), lines, file_name)
    return values


def _check_count(root, name):
    """Raises a `UserError` if a YAML document stands for more values than a recipe has, or for itself."""
    counts: dict[int, float] = {}

    def count(node):
        if id(node) not in counts:
            # Infinite until it is counted, which a node within itself never is.
            counts[id(node)] = math.inf
            values = node.value if isinstance(node, yaml.CollectionNode) else []
            parts = itertools.chain(*values) if isinstance(node, yaml.MappingNode) else values
            counts[id(node)] = 1 + sum(map(count, parts))
        return counts[id(node)]

    if root is not None and count(root) > _MOST_VALUES:
        raise UserError(
            f"{name}: its aliases (*) stand for more than {_MOST_VALUES:,} values, or for themselves; write the values "
            "out"
        )


def _override(values, override):
    """Puts one `key=value` into the dictionary, and returns its key as a tuple."""
    dotted, equals, value = override.partition("=")
    *sections, key = path = tuple(dotted.split("."))
    if not equals or not all(path):
        raise UserError(f"override {shown(override)} must have the form section.key=value, such as training.epochs=3")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UserError(f"override {shown(override)}: {section} has no keys below it")
    try:
        loader = yaml.SafeLoader(value)
        node = loader.get_single_node()
        _check_count(node, f"override {key}")
        values[key] = None if node is None else loader.construct_document(node)
    except UserError:  # which is a ValueError too
        raise
    except (yaml.YAMLError, RecursionError, *_NOT_A_VALUE) as error:
        raise UserError(f"override {shown(override)}: {shown(value)} is not a YAML value") from error
    return path


def _explain(problem, file_name, lines, from_command_line, recipe):
    """Says one pydantic problem in a line: where, which key, what was received, what is allowed."""
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
        return f"{where}: unknown key {name}{_nearest(key[-1], known)} (allowed: {', '.join(known)})"
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
        fields = getattr(fields[name].annotation, "model_fields", {}) if name in fields else {}
    return fields


def _nearest(name, known):
    matches = difflib.get_close_matches(str(name), known, n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""
