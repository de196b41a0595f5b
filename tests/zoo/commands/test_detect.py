"""The actions that only pass on what they are given; the others are tested with what they call."""

import pytest
from PIL import Image, ImageDraw

from lambda_keras.zoo.cli import main
from lambda_keras.zoo.detection.data import stamps


def test_stamps_and_their_shards_are_data(tmp_path, capsys):
    for number, category in enumerate(stamps.CATEGORIES):
        for stamp in range(2):
            path = tmp_path / "stamps" / category / f"{category}{stamp}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.new("RGBA", (40, 30))
            ImageDraw.Draw(image).ellipse((5, 5, 35, 25), (30 * number, 90 * stamp, 200, 255))
            image.save(path)
    data, shards = tmp_path / "data", tmp_path / "shards"
    composed = ["--stamps", str(tmp_path / "stamps"), "--out", str(data), "--train", "3", "--val", "2"]
    assert main(["detect", "stamps", *composed]) == 0
    assert "GPL-2" in capsys.readouterr().out
    for part, count in (("train", 3), ("val", 2)):
        assert len(list((data / part).iterdir())) == count
        written = ["--data", str(data), "--part", part, "--shards", "2", "--out", str(shards / part)]
        assert main(["detect", "shards", *written]) == 0
        assert f"{count} pictures" in capsys.readouterr().out
    assert main(["detect", "inspect-data", "--data", str(shards), "--out", str(tmp_path / "x.png")]) == 0
    assert main(["detect", "stamps", *composed]) == 2
    assert "is there already and not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "the following arguments are required: action"),
        (["train"], "the following arguments are required: --recipe, --data"),
        (["train", "--recipe", "stumps", "--data", "."], "unknown recipe 'stumps', did you mean 'stamps'?"),
        (["train", "--recipe", "stamps", "--data", "nowhere"], "no data nowhere; give a folder as COCO's"),
        (["train", "--recipe", "stamps", "--data", ".", "training.stepz=1"], "unknown key training.stepz"),
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
