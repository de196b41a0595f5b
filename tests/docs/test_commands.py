import subprocess
import sys

import pytest

pytest.importorskip("mkdocs", reason='the hooks of the site need the extra "docs"')

from docs.hooks import commands


@pytest.mark.parametrize("command", ["zoo", "zoo weights convert", "export tflite"])
def test_the_page_has_what_help_prints(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "102")  # argparse leaves two of them free
    room, *arguments = command.split()
    printed = subprocess.check_output([sys.executable, "-m", f"lambda_keras.{room}", *arguments, "--help"], text=True)
    assert f"## lambda-{command}\n\n```text\n{printed.rstrip()}\n```" in commands.page()
