"""A hook of MkDocs: architecture.md's tables of files, made of the first lines of the docstrings.

    python -m docs.hooks.architecture

prints them. They are made when the site is built and are in no file of the repository: to add or rename a module is to
write its docstring; no page needs a change.
"""

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
ROOMS = ("lambda_keras", "zoo", "export")
PAGE = "architecture.md"
PLACE = re.compile(r"<!-- files: (\w+) -->")


def on_page_markdown(markdown, page, config, files):
    """Puts the tables where the page has `<!-- files: FOLDER -->`; other pages stay as they are."""
    return render(markdown) if page.file.src_uri == PAGE else markdown


def render(text):
    """The text with its tables."""
    return PLACE.sub(lambda place: "\n\n".join(map(table, folders(place[1]))), text)


def folders(top):
    """A folder of the repository and those in it, sorted, as far as they hold modules."""
    return sorted({file.parent for file in (ROOT / top).rglob("*.py")})


def table(folder):
    """What a folder is, and a row for each of its modules, as Markdown.

    Example:
        >>> "| `splits.py` |" in table(ROOT / "zoo" / "data")
        True
    """
    modules = sorted(folder.glob("*.py"))
    rows = [f"| `{module.name}` | {first_line(module)} |" for module in modules if module.name != "__init__.py"]
    heading = f"**`{folder.relative_to(ROOT)}/`**"
    if (folder / "__init__.py").exists():
        heading += f": {first_line(folder / '__init__.py')}"
    return "\n".join((heading, "", "| file | what it is for |", "|---|---|", *rows))


def first_line(module):
    """The first line of a module's docstring.

    Raises:
        ValueError: It has none.
    """
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{module.relative_to(ROOT)} has no docstring, from which {PAGE} makes its row")
    return docstring.splitlines()[0].replace("|", r"\|")


if __name__ == "__main__":
    for place in PLACE.finditer((ROOT / "docs" / PAGE).read_text(encoding="utf-8")):
        print(render(place[0]), end="\n\n")
