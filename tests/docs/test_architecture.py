"""architecture.md: its tables have every module, its pictures every folder."""

import pathlib
import types
import xml.etree.ElementTree

import pytest

from docs.hooks import architecture

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "docs" / architecture.PAGE).read_text(encoding="utf-8")
FOLDERS = [folder for room in architecture.ROOMS for folder in architecture.folders(room)]


def test_the_page_has_a_place_for_each_room():
    assert set(architecture.ROOMS) <= set(architecture.PLACE.findall(TEXT))


def test_each_module_has_its_row():
    made = architecture.render(TEXT)
    assert "<!-- files" not in made
    for folder in FOLDERS:
        for module in folder.glob("*.py"):
            assert architecture.first_line(module) in made, module


def test_a_row_is_the_first_line_of_a_docstring():
    assert "| `splits.py` | What the catalog returns: a dataset in three parts" in architecture.table(ROOT / "zoo/data")


def test_other_pages_stay_as_they_are():
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="zoo.md"))
    assert architecture.on_page_markdown("<!-- files: zoo -->", page, None, None) == "<!-- files: zoo -->"


def test_a_module_without_a_docstring_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(architecture, "ROOT", tmp_path)
    (tmp_path / "bare.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match=r"bare\.py has no docstring"):
        architecture.first_line(tmp_path / "bare.py")


def test_each_folder_is_in_both_pictures():
    drawing = xml.etree.ElementTree.parse(ROOT / "docs" / "images" / "rooms.svg")
    drawn = {text.get("data-folder") for text in drawing.iter() if text.get("data-folder")}
    tree = TEXT.partition("```text\n")[2].partition("```")[0]
    names = {folder.relative_to(ROOT).as_posix() for folder in FOLDERS}
    assert drawn == names - set(architecture.ROOMS) | {"zoo/recipes"}
    for folder in FOLDERS:
        assert f"{folder.name}/ " in tree, folder
