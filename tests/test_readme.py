"""README and docs: their Python runs, their tables are those of the CSV files, their links lead somewhere."""

import pathlib
import re

import pytest

from benchmarks import readme

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_tables_are_made_from_the_csv_files():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.render(text) == text, "run `make tables`"


def test_every_model_is_in_the_table_with_the_papers_figure_only_where_there_is_one():
    import lambda_keras as lk

    table = readme.models_table()
    for name in lk.list_models():
        assert f"| `{name}` |" in table
    row = next(line for line in table.splitlines() if "`lambda_resnet152`" in line)
    assert "| 224 | 51.40 |" in row
    assert "| 83.2 |" in row
    assert "| – |" in next(line for line in table.splitlines() if "`lambda_resnet200`" in line)


def python_blocks():
    for page in PAGES:
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        yield from (pytest.param(block, id=f"{page.name}-{number}") for number, block in enumerate(blocks, 1))


@pytest.mark.parametrize("block", python_blocks())
def test_python_blocks_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
