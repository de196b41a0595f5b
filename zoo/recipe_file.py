"""Reads recipes (YAML), applies overrides, and says of every error where it stands and what is allowed."""

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
from lambda_keras.zoo.recipe_problems import explain, nearest

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
            f"unknown recipe {source!r}{nearest(str(source), known)}; known: {', '.join(known)}, or give the path of a "
            ".yaml file"
        )
    return known[source]


def load(source: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Reads and checks the recipe of a classifier.

    Args:
        source: As for `load_as`.
        overrides: As for `load_as`.

    Returns:
        A `lambda_keras.zoo.recipe.Recipe`.

    Raises:
        UserError: As for `load_as`.

    Example:
        >>> load("digits", ["training.epochs=7"]).training.epochs
        7
    """
    return load_as(Recipe, source, overrides)


def load_as(schema: type[_Schema], source: str | Path, overrides: Iterable[str] = ()) -> _Schema:
    """Reads and checks a recipe.

    Args:
        schema: Of which task.
        source: Name of a packaged recipe, or the path of a `.yaml` file.
        overrides: Strings `key=value` with dotted keys, applied in order, such as `"training.epochs=3"`.

    Returns:
        A recipe of that schema.

    Raises:
        UserError: The recipe is missing or wrong; one line with file, line, key, what was received and what is
            allowed.
    """
    file = find(source, schema)
    values, lines = _parse(_text(file), file.name)
    return values_as(schema, values, overrides, file.name, lines)


def of_values(values: dict[str, Any], overrides: Iterable[str], name: str) -> Recipe:
    """Makes the recipe of a classifier of a dictionary.

    Args:
        values: As for `values_as`.
        overrides: As for `load_as`.
        name: As for `values_as`.

    Returns:
        A `lambda_keras.zoo.recipe.Recipe`.

    Raises:
        UserError: As for `load_as`.
    """
    return values_as(Recipe, values, overrides, name)


def values_as(
    schema: type[_Schema],
    values: dict[str, Any],
    overrides: Iterable[str],
    name: str,
    lines: dict[tuple[str, ...], int] | None = None,
) -> _Schema:
    """Makes a recipe of a dictionary.

    Args:
        schema: Of which task.
        values: The recipe's sections, with their keys and values.
        overrides: As for `load`.
        name: What to call its origin in messages.
        lines: `{(section, key, …): line}` where the origin is a file.

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


def data_of_name(name: str, option: str, **expressions: str) -> Data:
    """Makes the section `data` alone of a dataset's name, for images that are taken as they are, for no model.

    Args:
        name: The dataset's name.
        option: The option that names it, for messages.
        **expressions: Split expressions of `train`, `validation` and `test`, where they are not the default ones.

    Returns:
        A `lambda_keras.zoo.recipe.Data`, with which the dataset is loaded.

    Raises:
        UserError: As for `load`.

    Example:
        >>> data_of_name("digits", "--dataset").name
        'digits'
    """
    # Images have the size of their files until a pipeline resizes them; a recipe is never without one.
    return data_of_values({"name": name, "image_size": 32, **expressions}, (), option)


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
            explain({**problem, "loc": (*section, *problem["loc"])}, name, lines, from_command_line, recipe)
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
