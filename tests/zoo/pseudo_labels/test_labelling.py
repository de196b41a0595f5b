import json
import pathlib
import re
import subprocess

import keras
import numpy as np
import pytest

from lambda_keras.zoo.cli import main
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.pseudo_labels import labels_folder
from lambda_keras.zoo.pseudo_labels.teacher import find_teacher
from tests.conftest import ROOT
from tests.little_room import little_room
from tests.zoo.pseudo_labels.conftest import FILES, LABEL, contents

SCRIPT = pathlib.Path(__file__).with_name("label_and_die.py")


def test_each_image_has_the_label_of_the_teacher(labels, teacher_run, read_examples):
    assert sorted(contents(labels)) == sorted([*FILES, "labels.json"])
    images = digits.load(0.1).test.images.numpy()
    normalised = (images / 255 - 0.305) / 0.376
    expected = keras.models.load_model(teacher_run / "model.keras").predict(normalised, verbose=0)
    examples = read_examples(*(labels / name for name in FILES))
    assert [example["id"].bytes_list.value[0] for example in examples] == [b"%d" % n for n in range(450)]
    assert examples[60]["source"].bytes_list.value[0] == b"60-120"
    for example, row in zip(examples, expected, strict=True):
        classes = list(example["classes"].int64_list.value)
        kept = np.array(example["probabilities"].float_list.value)
        rest = example["rest"].float_list.value[0]
        assert len(classes) == 3
        np.testing.assert_allclose(kept, row[classes], atol=1e-5)
        np.testing.assert_allclose(kept, np.sort(row)[:-4:-1], atol=1e-5)
        assert kept.sum() + rest == pytest.approx(1, abs=1e-5)
    description = json.loads((labels / "labels.json").read_text())
    assert description["classes"] == list("0123456789")
    assert description["teacher"]["sha256"] == find_teacher(str(teacher_run)).sha256
    assert [shard["images"] for shard in description["shards"].values()] == [60] * 7 + [30]


def test_a_labelling_that_is_killed_goes_on_to_the_same_bytes(labels, teacher_run, warm_python, tmp_path):
    command = [*LABEL, "--teacher", str(teacher_run), "--out", str(tmp_path)]
    whole = 0
    # Ten drawn places, and the end of a file: it is not whole before it has its name.
    for kill in (*np.random.default_rng(0).integers(1, 100, 10).tolist(), 60):
        process = subprocess.run([*warm_python, SCRIPT, str(kill), *command], cwd=ROOT, capture_output=True, text=True)
        assert process.returncode == -9, process.stderr
        whole += (kill - 1) // 60
        assert [name for name in FILES if (tmp_path / name).exists()] == FILES[:whole]
        assert labels_folder.read(tmp_path).shards is None
    assert 0 < whole < len(FILES)
    assert any(path.name.startswith(".partial") for path in tmp_path.iterdir())
    assert main(command) == 0
    assert contents(tmp_path) == contents(labels)
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    assert main(command) == 0
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())] == before


@pytest.mark.parametrize("jobs", [3, 7])
def test_jobs_share_the_work_and_make_the_same_files(jobs, labels, teacher_run, tmp_path, capsys):
    for job in reversed(range(jobs)):
        share = ["--shard", f"{job}/{jobs}"]
        assert main([*LABEL, "--teacher", str(teacher_run), "--out", str(tmp_path), *share]) == 0
        assert {name for name in FILES[job::jobs]} <= set(contents(tmp_path))
        last = capsys.readouterr().out.splitlines()
        assert ("other jobs have shards to label still" in last[-1]) == (job > 0)
    assert "450 images are labelled, 0 could not be read" in last
    assert contents(tmp_path) == contents(labels)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"--split": "train"}, "holds labels of other images"),
        ({"--images-per-shard": "50"}, "holds labels of other images"),
        ({"--top": "4"}, "holds labels with another --top (3, now 4)"),
        ({"--shard": "8/9"}, "has too few shards for 9 jobs: 8; take fewer jobs"),
        ({"--shard": "3/3"}, "expected I/N with I from 0 to N-1, such as 0/8, got '3/3'"),
        ({"--batch-size": "0"}, "--batch-size must be 1 to 65,536, got 0"),
        ({"--data": "nowhere"}, "there is no folder nowhere"),
        ({"--out": "/dev/null"}, "cannot write to /dev/null"),
    ],
)
def test_what_does_not_fit_is_a_line_and_changes_nothing(changes, expected, labels, teacher_run, capsys):
    before = contents(labels)
    options = {"--teacher": str(teacher_run), "--out": str(labels)} | dict(zip(LABEL[1::2], LABEL[2::2], strict=True))
    arguments = [word for option in (options | changes).items() for word in option]
    assert main(["pseudo-label", *arguments]) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1
    assert contents(labels) == before


def test_labels_of_another_teacher_are_not_mixed(labels, other_teacher_run, capsys):
    before = contents(labels)
    assert main([*LABEL, "--teacher", str(other_teacher_run), "--out", str(labels)]) == 2
    assert "holds labels of another teacher" in capsys.readouterr().err
    assert contents(labels) == before


def test_what_cannot_be_read_is_counted_and_has_no_label(pictures, colour_run, tmp_path, capsys, read_examples):
    command = ["pseudo-label", "--teacher", str(colour_run), "--data", str(pictures), "--out", str(tmp_path)]
    assert main([*command, "--images-per-shard", "3"]) == 0
    assert "7 images are labelled, 1 could not be read" in capsys.readouterr().out
    examples = read_examples(*sorted(tmp_path.glob("*.tfrecord")))
    without = [example["id"].bytes_list.value[0] for example in examples if "classes" not in example]
    assert without == [b"outside/garbage.png"]
    # Of two classes a label has both.
    assert all(example["rest"].float_list.value[0] == 0 for example in examples)
    shards = json.loads((tmp_path / "labels.json").read_text())["shards"].values()
    assert [(shard["images"], shard["unreadable"]) for shard in shards] == [(3, 0), (3, 0), (2, 1)]


def test_records_and_files_without_any(photo, encode, write_records, colour_run, tmp_path, capsys, read_examples):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for name, numbers in (("a", [0, 1, 2]), ("b", []), ("c", [3])):
        write_records(data / f"{name}.tfrecord", [encode(photo(number)) for number in numbers])
    command = ["pseudo-label", "--teacher", str(colour_run), "--data", str(data), "--batch-size", "2", "--out"]
    assert main([*command, str(out)]) == 0
    line = r"labels-00001-of-00003.tfrecord: [\d,.]+ images/s, 2 of 3 shards, 0\.\d minutes left"
    assert re.search(line, capsys.readouterr().out)
    found = [
        [example["id"].bytes_list.value[0] for example in read_examples(path)] for path in sorted(out.glob("*.t*"))
    ]
    assert found == [[b"a.tfrecord__0", b"a.tfrecord__1", b"a.tfrecord__2"], [], [b"c.tfrecord__0"]]
    (data / "c.tfrecord").write_bytes((data / "c.tfrecord").read_bytes()[:-20])
    assert main([*command, str(tmp_path / "other")]) == 2
    assert "cannot read the images: truncated record" in capsys.readouterr().err


def test_a_full_disk_is_a_line_and_leaves_no_half_file(teacher_run, tmp_path, capsys):
    command = ["pseudo-label", "--teacher", str(teacher_run), "--data", "digits", "--out", str(tmp_path)]
    with little_room():
        assert main(command) == 2
    err = capsys.readouterr().err
    assert "cannot write" in err
    assert "the same command resumes there" in err
    assert [path.name for path in tmp_path.iterdir()] == ["labels.json"]


def test_images_of_other_channels_are_refused(colour_run, tmp_path, capsys):
    arguments = ["--teacher", str(colour_run), "--data", "digits", "--out", str(tmp_path / "out")]
    assert main(["pseudo-label", *arguments]) == 2
    assert "takes images with 3 channels, those of digits have 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
