from pathlib import Path

import pytest

from lambda_keras.zoo.data.sources import image_table
from lambda_keras.zoo.data.sources.image_table import Row
from lambda_keras.zoo.errors import UserError

WHOLE = "path,label,split\n1.png,b,train\n2.png,a,train\n3.png,a,validation\n4.png,b,test\n"


def write(folder, text, encoding="utf-8"):
    (folder / "table.csv").write_text(text, encoding=encoding)
    return folder / "table.csv"


def test_the_parts_of_a_table(tmp_path):
    for name in "1234":
        (tmp_path / f"{name}.png").write_text(name)
    class_names, splits = image_table.load(write(tmp_path, WHOLE))
    assert class_names == ("a", "b")
    found = [
        [(content.decode(), int(label)) for content, label in split.ordered().as_numpy_iterator()] for split in splits
    ]
    assert found == [[("1", 1), ("2", 0)], [("3", 0)], [("4", 1)]]


def test_rows_come_back_with_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image_table.write([Row(Path("süß, sauer.png"), 'a "class"', "test")], tmp_path / "table.csv")
    assert image_table.read("table.csv") == [Row(tmp_path / "süß, sauer.png", 'a "class"', "test")]


def test_a_byte_order_mark_and_a_missing_split_are_allowed(tmp_path):
    (row,) = image_table.read(write(tmp_path, "path,label\n1.png,a\n", "utf-8-sig"))
    assert row == Row(tmp_path / "1.png", "a", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,label\n1.png,a\n", r"has no column path \(columns: file, label\)"),
        ("", r"has no column label \(columns: none\)"),
        ("path,label\n1.png,\n", "line 2: path and label must not be empty"),
        (
            "path,label,split\n1.png,a,train\n1.png,a,dev\n",
            "line 3: split must be one of train, validation, test, got dev",
        ),
        ("path,label\n1.png,a\n", "must have the column split"),
        (WHOLE + "5.png,c,test\n", "class c has no image of the split train"),
        (
            "path,label\n1.png,a\nx.png,apple, green\n",
            "line 3: 3 fields, but the header has 2; a field that holds a comma stands in quotation marks",
        ),
        ("path;label\n1.png;a\n", r"columns: path;label\); .* with commas between them"),
        ("path,label,label\n1.png,a,b\n", "has the column label twice"),
        ("path,label,split\n1.png,a,\n", "line 2: split must be one of .*, got nothing; or leave the column out"),
        ("path,label\nimages\\1.png,a\n", r"line 2: there is no file images\\1.png; folders are separated by /"),
        (
            f"path,label\n1.png,{'a' * 131_073}\n",
            r"after line 1: .*field larger than .*a quotation mark left open",
        ),
        ('path,label\n1.png,"a\n2.png,b\n', r"the name of a class is one line .*, got 'a\\n2.png,b\\n'"),
        ("path,label\n1.png,\x1b[31mred\n", r"line 2: the name of a class .*, got '\\x1b\[31mred'; rename it"),
        ("path,label\n1.png,a\0\n", "is no text in UTF-8"),
    ],
)
def test_tables_that_are_wrong(tmp_path, text, expected):
    with pytest.raises(UserError, match=expected):
        image_table.load(write(tmp_path, text))


@pytest.mark.parametrize(("encoding", "expected"), [("utf-16", "UTF-16 perhaps"), ("latin-1", "line 2: not UTF-8")])
def test_other_encodings(tmp_path, encoding, expected):
    with pytest.raises(UserError, match=f"{expected}.*; save it as CSV in UTF-8"):
        image_table.read(write(tmp_path, "path,label\n1.png,süß\n", encoding))


@pytest.mark.parametrize("label", ["=1+1", "'=1+1", "@a", "-", "'s-Hertogenbosch"])
def test_a_label_like_a_formula_is_text_to_a_spreadsheet_and_comes_back(tmp_path, label):
    rows = [Row(tmp_path / "1.png", label, "train")]
    image_table.write(rows, tmp_path / "table.csv")
    assert image_table.read(tmp_path / "table.csv") == rows
    written = (tmp_path / "table.csv").read_text().splitlines()[1]
    assert written.split(",")[1][0] not in "=+-@"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (None, "^data.name image_table needs a CSV file with the columns path, label, split; give --data-dir$"),
        ("nowhere.csv", "^no such file: nowhere.csv; .* the columns path and label, and split where it has parts$"),
        (".", "^. is not a file; a table of images is a CSV file"),
        ("table.zip", "table.zip is an archive; unpack it"),
    ],
)
def test_no_table(table, words):
    with pytest.raises(UserError, match=words):
        image_table.load(table)
