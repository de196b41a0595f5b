import csv
import os

import numpy as np

from lambda_keras.zoo.data.sources import listing
from lambda_keras.zoo.data.sources.listing import LeftOut
from lambda_keras.zoo.data.splits import ArraySplit, Dataset
from lambda_keras.zoo.fine_tuning import data_summary, file_check


def test_images_of_classes_and_their_table(capsys):
    parts = [ArraySplit(np.zeros((len(labels), 1, 1, 1), "uint8"), labels) for labels in ([0, 0, 1], [1], [0])]
    rows = data_summary.images_of_classes(Dataset("x", ("cat", "dog"), 1, (0.5,), (0.2,), *parts))
    assert rows == [("cat", 2, 0, 1), ("dog", 1, 1, 0)]
    data_summary.print_classes(rows)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["cat", "2", "0", "1"],
        ["dog", "1", "1", "0"],
        ["all", "2", "classes", "3", "1", "1"],
    ]


def test_of_a_thousand_classes_the_smallest_are_printed(capsys):
    data_summary.print_classes([(f"class {number}", 2000 - number, 1, 1) for number in range(1000)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the 20 smallest of 1,000 classes:"
    assert lines[3].split() == ["class", "999", "1,001", "1", "1"]
    assert len(lines) == 3 + 20 + 1


def test_remarks_have_a_line_for_each_kind_of_problem(messy_folder):
    lines = data_summary.remarks(file_check.check(listing.of_folder(messy_folder)))
    assert lines[0].startswith("smallest image 64x48 (")
    assert "largest 9000x6000 (" in lines[0]
    assert lines[1] == "1 image over 50,000,000 pixels: slow to read in every epoch, better made smaller"
    assert lines[2] == "2 copies of other images of their class: kept, in the same split as these"
    left_out = [line for line in lines if line.startswith("left out: ")]
    assert len(left_out) == len(lines) - 3 == 9
    (both,) = (line for line in left_out if "two classes" in line)
    assert both.startswith("left out: 12 (the same file in two classes): ")
    assert both.endswith(", …")


def test_names_that_are_not_utf_8_are_written_as_far_as_they_are(tmp_path):
    left_out = (LeftOut(tmp_path / os.fsdecode(b"a\xff.png"), "a name that is not UTF-8"),)
    check = file_check.FileCheck((), left_out, copies=0)
    data_summary.write_left_out(check, tmp_path / "left_out.csv")
    (row,) = csv.DictReader((tmp_path / "left_out.csv").open(encoding="utf-8"))
    assert row == {"path": str(tmp_path / "a?.png"), "reason": "a name that is not UTF-8"}
