import os

import pytest

from lambda_keras.zoo.data.sources import listing
from lambda_keras.zoo.errors import UserError


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
    make(tmp_path, ["train/a/1.png", "dev/a/2.png"])
    with pytest.raises(UserError, match=r"has the folder dev; beside train only validation \(or val, valid\) and test"):
        listing.of_folder(tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], r"has no image files \(endings .jpg, .*; the layout is <class>/<image>, or train/<class>/<image>"),
        (["1.png"], "are in no class folders; the layout is"),
        (["flowers/a/1.png", "flowers/b/2.png"], r"are in other folders than those of classes; give .*/flowers\?"),
        (["flowers/train/a/1.png", "flowers/test/a/2.png"], r"classes; give .*/flowers\? The layout is"),
        (["a/1.png/x"], "has no image files"),
    ],
)
def test_another_layout_is_one_line_that_says_what_to_give(tmp_path, files, words):
    with pytest.raises(UserError, match=words):
        listing.of_folder(make(tmp_path, files))


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


def test_what_is_left_out_has_its_part_and_a_line_for_each_reason(tmp_path):
    make(tmp_path, ["train/a/1.png", "train/notes.txt", "test/a/2.png"])
    make(tmp_path, [f"test/a/{number}.txt" for number in range(4)])
    (tmp_path / "test" / "a" / os.fsdecode(b"\xff.png")).touch()
    left_out = listing.of_folder(tmp_path).left_out
    assert [file.split for file in left_out] == ["train", *["test"] * 5]
    beside, text, name = listing.described(left_out)
    assert beside == f"left out: 1 (beside the class folders): {tmp_path}/train/notes.txt"
    examples = ", ".join(f"{tmp_path}/test/a/{number}.txt" for number in range(3))
    assert text.startswith("left out: 4 (not an image: it ends in none of ")
    assert text.endswith(f"): {examples}, …")
    assert name == f"left out: 1 (a name that is not UTF-8): {tmp_path}/test/a/?.png"
