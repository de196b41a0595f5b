import dataclasses

import numpy as np
import pytest
from PIL import Image

from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.labelled_data import is_files, load, training_files

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255), "other": (0, 255, 0)}


@pytest.fixture
def pictures(tmp_path):
    """Makes files `…/<class>/<name>` of the colour of their class, and a table of them."""

    def make(*names, splits=None):
        rows = [("path", "label", "split")] if splits else [("path", "label")]
        for name, split in zip(names, splits or names, strict=True):
            label = name.split("/")[-2]
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((9, 9, 3), COLOURS[label], "uint8")).save(tmp_path / name)
            rows.append((name, label, split) if splits else (name, label))
        (tmp_path / "table.csv").write_text("\n".join(map(",".join, rows)))
        return tmp_path

    return make


def contents(found):
    """`(label, red, blue)` of each image."""
    batch = next(found.batches(8))
    pixels = batch.images[batch.valid][:, 4, 4]
    return [(int(label), *map(int, pixel[[0, 2]])) for label, pixel in zip(batch.labels, pixels, strict=True)]


BLUE, RED = (0, 0, 255), (1, 255, 0)


@pytest.mark.parametrize(
    ("names", "part", "expected", "taken"),
    [
        (["red/1.png", "blue/2.png", "blue/3.png"], "test", [BLUE, BLUE, RED], "all"),
        (["red/1.png"], "test", [RED], "all"),  # The label is the model's.
        (["test/red/1.png"], "test", [RED], "test"),
        (["train/blue/1.png", "test/red/1.png", "valid/red/2.png"], "test", [RED], "test"),
        (["Train/blue/1.png", "Val/red/1.png"], "validation", [RED], "validation"),
    ],
)
def test_folders(pictures, colour_record, names, part, expected, taken):
    found = load("--data", pictures(*names), colour_record, part)
    assert contents(found) == expected
    assert found.part == taken
    assert found.split.count == len(expected)


@pytest.mark.parametrize(
    ("splits", "part", "expected"),
    [
        (None, "test", [RED, BLUE, RED]),
        (["test", "test", "test"], "test", [RED, BLUE, RED]),
        (["train", "val", "Test"], "test", [RED]),
        (["train", "val", "Test"], "validation", [BLUE]),
    ],
)
def test_tables(pictures, colour_record, splits, part, expected):
    folder = pictures("red/1.png", "blue/1.png", "red/2.png", splits=splits)
    found = load("--data", folder / "table.csv", colour_record, part)
    assert contents(found) == expected
    assert found.part == ("all" if splits is None else part)


def test_a_dataset_by_name_is_as_the_catalog_has_it(record):
    found = load("--data", "digits", record)
    assert (found.name, found.part, found.split.count) == ("digits", "test", catalog.load(record.data()).test.count)
    assert load("--data", None, record, "train").split.count > 1000


def test_what_is_no_image_is_left_out(pictures, colour_record):
    folder = pictures("red/1.png")
    (folder / "red" / "notes.txt").touch()
    found = load("--data", folder, colour_record)
    assert {file.path.name for file in found.left_out} == {"notes.txt", "table.csv"}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["red/1.png", "other/1.png"],
            "has classes that the model does not know: other; its 2 classes are blue, red",
        ),
        (["train/red/1.png"], r"has no images of the part test, it has train; give the folder of one of these itself"),
        (["pictures/red/1.png"], r"give .*pictures\? The layout is <class>/<image>"),
    ],
)
def test_folders_that_do_not_fit(pictures, colour_record, names, words):
    with pytest.raises(UserError, match=words):
        load("--data", pictures(*names), colour_record)


def test_a_table_without_the_part(pictures, colour_record):
    folder = pictures("red/1.png", splits=["train"])
    with pytest.raises(UserError, match=r"of the part test, it has train; leave out the column split to take all"):
        load("--data", folder / "table.csv", colour_record)


def test_of_another_part_nothing_is_left_out(pictures, colour_record):
    folder = pictures("train/red/1.png", "test/red/2.png")
    for part in ("train", "test"):
        (folder / part / "red" / f"{part}.txt").touch()
    assert [file.path.name for file in load("--data", folder, colour_record).left_out] == ["test.txt"]


def test_what_batches_did_not_give_is_looked_at_again(pictures, colour_record):
    folder = pictures("red/1.png", "red/2.png", "red/3.png", "blue/4.png")
    (folder / "red" / "2.png").write_text("text")
    (folder / "red" / "3.png").write_bytes(b"")
    found = load("--data", folder, colour_record)
    (batch,) = found.batches(8)
    assert [(file.path.name, file.reason) for file in found.unread(batch.positions)] == [
        ("2.png", "damaged, or not a JPEG, PNG, BMP, GIF or WebP file"),
        ("3.png", "an empty file"),
    ]


def test_a_table_of_files_that_are_not_there(tmp_path, colour_record):
    (tmp_path / "table.csv").write_text("path,label\nno.png,red\n")
    with pytest.raises(UserError, match=r"that can be used; left out: 1 \(not there, or not a file\): .*/no.png$"):
        load("--data", tmp_path / "table.csv", colour_record)


def test_a_slash_in_a_class_is_a_hyphen_in_its_folder(pictures, colour_record):
    record = dataclasses.replace(colour_record, class_names=("blue", "r/ed"))
    folder = pictures("red/1.png")
    (folder / "red").rename(folder / "r-ed")
    assert contents(load("--data", folder, record)) == [RED]


def test_an_archive_and_a_folder_of_datasets_are_refused(pictures, colour_record, tmp_path):
    with pytest.raises(UserError, match="is an archive; unpack it"):
        is_files("pictures.zip")
    with pytest.raises(UserError, match="--data-dir is for --data with the name of a dataset, got the path"):
        load("--data", pictures("red/1.png"), colour_record, data_dir=tmp_path)


def test_files_without_labels(pictures):
    folder = pictures("red/1.png", "deep/er/red/2.png")
    assert training_files(folder) == ([folder / "deep/er/red/2.png", folder / "red/1.png"], ())
    assert training_files(folder / "table.csv") == ([folder / "red/1.png", folder / "deep/er/red/2.png"], ())


@pytest.mark.parametrize(
    ("names", "taken"),
    [(["train/red/1.png", "test/red/2.png"], "train/red/1.png"), (["test/red/2.png"], "test/red/2.png")],
)
def test_files_of_the_training_part_or_all(pictures, names, taken):
    folder = pictures(*names, splits=[name.split("/")[0] for name in names])
    with open(folder / "table.csv", "a") as table:
        table.write("\nno.png,red,train\nnor.png,red,test\n")
    assert training_files(folder)[0] == [folder / taken]
    paths, left_out = training_files(folder / "table.csv")
    assert paths == [folder / taken]
    assert [file.path.name for file in left_out] == (["no.png"] if len(names) == 2 else ["no.png", "nor.png"])
