import os

import pytest

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning import listing


def make(folder, files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def rows(listed, folder):
    return [(str(row.path.relative_to(folder)), row.label, row.split) for row in listed.rows]


def test_class_folders(tmp_path):
    make(tmp_path, ["b/2.jpg", "a/1.png", "b/1.JPEG"])
    expected = [("a/1.png", "a", None), ("b/1.JPEG", "b", None), ("b/2.jpg", "b", None)]
    assert rows(listing.of_folder(tmp_path), tmp_path) == expected


def test_class_folders_in_parts(tmp_path):
    make(tmp_path, ["train/a/1.png", "validation/a/2.png", "test/a/3.png"])
    listed = rows(listing.of_folder(tmp_path), tmp_path)
    assert [(path.split("/")[0], label, split) for path, label, split in listed] == [
        (part, "a", part) for part in ("train", "validation", "test")
    ]


def test_an_unknown_part(tmp_path):
    make(tmp_path, ["train/a/1.png", "val/a/2.png"])
    with pytest.raises(UserError, match="has the folder val; beside train only validation and test may be"):
        listing.of_folder(tmp_path)


def test_a_table(tmp_path):
    make(tmp_path, ["pictures/1.png", "pictures/2.png"])
    table = tmp_path / "table.csv"
    table.write_text("path,label\npictures/1.png,a\npictures/2.png,b\npictures/3.png,b\n")
    listed = listing.of_table(table)
    assert rows(listed, tmp_path) == [("pictures/1.png", "a", None), ("pictures/2.png", "b", None)]
    assert [(out.path.name, out.reason) for out in listed.left_out] == [("3.png", "not there, or not a file")]


def test_names_that_are_not_utf_8(tmp_path):
    make(tmp_path, ["a/1.png"])
    (tmp_path / "a" / os.fsdecode(b"\xff.png")).touch()
    (out,) = listing.of_folder(tmp_path).left_out
    assert out.reason == "a name that is not UTF-8"
    (tmp_path / os.fsdecode(b"\xfe")).mkdir()
    with pytest.raises(UserError, match="is not UTF-8; rename it"):
        listing.of_folder(tmp_path)
