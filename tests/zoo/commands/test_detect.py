"""The actions that only pass on what they are given; the others are tested with what they call."""

import contextlib
import io
import json
import shutil

import pytest

from benchmarks.stamps import constant_box
from lambda_keras.zoo.cli import main
from tests.zoo.detection.drawn_stamps import draw_stamps


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    """The arguments of a `detect stamps` that was run, with its folder and what it printed."""
    folder = tmp_path_factory.mktemp("composed")
    draw_stamps(folder / "stamps")
    data, printed = folder / "data", io.StringIO()
    arguments = ["--stamps", str(folder / "stamps"), "--out", str(data), "--train", "3", "--val", "2"]
    with contextlib.redirect_stdout(printed):
        assert main(["detect", "stamps", *arguments]) == 0
    return arguments, data, printed.getvalue()


def test_stamps_and_their_shards_are_data(composed, tmp_path, capsys):
    arguments, data, printed = composed
    assert "GPL-2" in printed
    shards = tmp_path / "shards"
    for part, count in (("train", 3), ("val", 2)):
        assert len(list((data / part).iterdir())) == count
        written = ["--data", str(data), "--part", part, "--shards", "2", "--out", str(shards / part)]
        assert main(["detect", "shards", *written]) == 0
        assert f"{count} pictures" in capsys.readouterr().out
    assert main(["detect", "inspect-data", "--data", str(shards), "--out", str(tmp_path / "x.png")]) == 0
    assert main(["detect", "stamps", *arguments]) == 2
    assert "is there already and not empty" in capsys.readouterr().err


def test_the_constant_box_finds_objects_that_are_where_those_of_the_training_are(composed, tmp_path):
    data = shutil.copytree(composed[1], tmp_path / "data")
    shutil.rmtree(data / "val")
    shutil.copytree(data / "train", data / "val")
    content = json.loads((data / "instances_train.json").read_text())
    # One object of each category in one picture: where it is, the median one is.
    picture = content["annotations"][0]["image_id"]
    content["images"] = [image for image in content["images"] if image["id"] == picture]
    objects = [entry for entry in content["annotations"] if entry["image_id"] == picture]
    content["annotations"] = list({entry["category_id"]: entry for entry in objects}.values())
    for part in ("train", "val"):
        (data / f"instances_{part}.json").write_text(json.dumps(content))
    assert constant_box(str(data))["boxes"].ap == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "the following arguments are required: action"),
        (["train"], "the following arguments are required: --recipe, --data"),
        (["train", "--recipe", "stumps", "--data", "."], "unknown recipe 'stumps', did you mean 'stamps'?"),
        (["train", "--recipe", "stamps", "--data", "nowhere"], "no data nowhere; give a folder as COCO's"),
        (["train", "--recipe", "stamps", "--data", ".", "training.stepz=1"], "unknown key training.stepz"),
        # Before the data are looked for: COCO takes half a minute.
        (
            ["train", "--recipe", "stamps", "--data", "nowhere", "--dry-run", "--replicas", "3"],
            "training.batch_size 4 must be a multiple of 3, the replicas (3)",
        ),
        (["predicte"], "invalid choice: 'predicte'"),
        (["predict", "nowhere", "a.png", "--out", "x"], "no such file: a.png"),
        (["evaluate", "nowhere", "--data", "x"], "no such file: nowhere; a detector is the folder of"),
        (["evaluate", "nowhere"], "the following arguments are required: --data"),
        (["evaluate", "nowhere", "--data", "x", "--part", "test"], "invalid choice: 'test'"),
        (["inspect-data", "--data", "nowhere"], "no data nowhere; give a folder as COCO's"),
        (["shards", "--data", "nowhere", "--out", "x"], "no data nowhere"),
        (["shards", "--data", "nowhere", "--out", "x", "--shards", "0"], "expected a whole number of at least 1"),
        (["stamps", "--stamps", "nowhere", "--out", "x"], "nowhere/animals has 0 stamps"),
    ],
)
def test_user_errors_are_one_line_and_status_2(arguments, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["detect", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_actions_and_their_options_are_completed(capsys):
    with pytest.raises(SystemExit):
        main(["--print-completion", "bash"])
    script = capsys.readouterr().out
    assert "detect_inspect_data" in script
    assert "--boxes-only" in script
