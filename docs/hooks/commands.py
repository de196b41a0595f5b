"""A hook of MkDocs: reference/commands.md, the help of each command, made of their parsers."""

import argparse
import functools

from mkdocs.structure.files import File

import lambda_keras.export.cli
import lambda_keras.zoo.cli


def on_files(files, config):
    """Adds the page to the site's files."""
    files.append(File.generated(config, "reference/commands.md", content=page()))
    return files


def page():
    """The page as Markdown: a section for each program, in it one for each command.

    Example:
        >>> "## lambda-zoo train" in page()
        True
    """
    lines = ["# Commands", "", "What `--help` prints."]
    for parser in (lambda_keras.zoo.cli._parser(), lambda_keras.export.cli._parser()):
        lines += _sections(parser)
    return "\n".join(lines) + "\n"


def _sections(parser):
    # Not the width of the terminal in which the site is built.
    parser.formatter_class = functools.partial(argparse.HelpFormatter, width=100)
    yield from ("", f"## {parser.prog}", "", "```text", parser.format_help().rstrip(), "```")
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _sections(command)
