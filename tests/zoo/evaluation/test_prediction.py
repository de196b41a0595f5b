import csv
import io
import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lambda_keras.zoo.cli import main
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.evaluation.prediction import BATCH_SIZE, predict

RED, BLUE = (255, 0, 0), (0, 0, 255)


def write(path, colour=RED, size=(20, 30)):
    """Writes an image of one colour, in the format of the file's ending."""
    Image.fromarray(np.full((*size, 3), colour, "uint8")).save(path)
    return path


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "gif"])
def test_all_kinds_of_files(colour_run, tmp_path, ending):
    files = [write(tmp_path / f"{name}.{ending}", colour) for name, colour in (("red", RED), ("blue", BLUE))]
    red, blue = predict(colour_run, files)
    assert red["image"] == str(files[0])
    assert [row["class"] for row in red["predictions"]] == ["red", "blue"]
    assert [row["class"] for row in blue["predictions"]] == ["blue", "red"]
    # Both channels are 2 standard deviations from the mean: a difference of 8 between the logits.
    assert red["predictions"][0]["probability"] == pytest.approx(1 / (1 + np.exp(-8)), abs=1e-3)


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "gif"])
def test_colour_images_for_a_grey_model(saved_run, tmp_path, ending):
    (prediction,) = predict(saved_run, [write(tmp_path / f"image.{ending}")])
    assert len(prediction["predictions"]) == 5


def test_probabilities_are_those_of_the_model(saved_run, model, tmp_path):
    image = digits.load_arrays()[0][0]
    (tmp_path / "zero.png").write_bytes(tf.io.encode_png(image).numpy())
    ((prediction),) = predict(saved_run, [tmp_path / "zero.png"], top=10)
    resized = np.clip(np.round(tf.image.resize(image, (32, 32), "bicubic", antialias=True)), 0, 255)
    (expected,) = model.predict((resized[None] / 255 - 0.305) / 0.376, verbose=0)
    rows = prediction["predictions"]
    assert [row["class"] for row in rows] == [str(label) for label in np.argsort(-expected)]
    np.testing.assert_allclose([row["probability"] for row in rows], np.sort(expected)[::-1], atol=1e-4)


def test_the_crop_is_the_records(colour_run, colour_record, tmp_path):
    run = shutil.copytree(colour_run, tmp_path / "run")
    framed = np.full((40, 60, 3), BLUE, "uint8")
    framed[10:30, 20:40] = RED
    Image.fromarray(framed).save(tmp_path / "framed.png")
    for crop, expected in ((1.0, "blue"), (0.5, "red")):
        colour_record.with_preprocessing(evaluation_crop=crop).write(run / "record.json")
        ((prediction),) = predict(run, [tmp_path / "framed.png"])
        assert prediction["predictions"][0]["class"] == expected


def test_many_images_keep_their_order(colour_run, tmp_path):
    colours = [RED if number % 3 else BLUE for number in range(BATCH_SIZE + 5)]
    files = [write(tmp_path / f"{number}.png", colour) for number, colour in enumerate(colours)]
    predictions = predict(colour_run, files, top=1)
    assert [row["image"] for row in predictions] == [str(file) for file in files]
    found = [row["predictions"][0]["class"] for row in predictions]
    assert found == ["red" if colour == RED else "blue" for colour in colours]


def test_no_more_classes_than_there_are(colour_run, tmp_path):
    (prediction,) = predict(colour_run, [write(tmp_path / "red.png")], top=7)
    assert len(prediction["predictions"]) == 2


def test_top_must_be_positive(colour_run, tmp_path):
    with pytest.raises(UserError, match="--top must be at least 1, got 0"):
        predict(colour_run, [write(tmp_path / "red.png")], top=0)


def test_more_pixels_than_asked_for_are_refused_and_the_option_named(colour_run, tmp_path, capsys):
    arguments = ["predict", str(colour_run), str(write(tmp_path / "red.png")), "--most-pixels"]
    assert main([*arguments, "599"]) == 1
    assert "red.png: 30x20 pixels, over the limit of 599; --most-pixels raises it" in capsys.readouterr().err
    assert main([*arguments, "600"]) == 0


def test_the_table(colour_run, tmp_path, capsys):
    files = [write(tmp_path / "red.png", RED), write(tmp_path / "blue.png", BLUE)]
    assert main(["predict", str(colour_run), *map(str, files)]) == 0
    header, _, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["image", "class", "probability"]
    assert rows == [
        [str(files[0]), "red", "99.97%"],
        ["blue", "0.03%"],
        [str(files[1]), "blue", "99.97%"],
        ["red", "0.03%"],
    ]


def test_json(colour_run, tmp_path, capsys):
    file = write(tmp_path / "red.png")
    assert main(["predict", str(colour_run), str(file), "--json", "--top", "1"]) == 0
    (prediction,) = json.loads(capsys.readouterr().out)
    assert set(prediction) == {"image", "predictions"}
    assert prediction["image"] == str(file)
    ((row),) = prediction["predictions"]
    assert set(row) == {"class", "probability"}
    assert row["class"] == "red"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "cannot decode {}: an empty file"),
        (b"hello", "cannot decode {}: damaged, or not a JPEG, PNG, BMP, GIF or WebP file"),
        ("truncated", "cannot decode {}: damaged"),
    ],
)
def test_a_bad_file_spoils_its_own_row(colour_run, tmp_path, capsys, content, expected):
    good, bad = write(tmp_path / "good.jpg"), tmp_path / "bad.jpg"
    if content == "truncated":
        content = good.read_bytes()[:-200]
    bad.write_bytes(content)
    arguments = ["predict", str(colour_run), str(good), str(bad), str(good), "--top", "1"]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert [line.split()[1:] for line in out.splitlines()[2:]] == [
        ["red", "99.97%"],
        ["(cannot", "be", "read)"],
        ["red", "99.97%"],
    ]
    assert err.startswith(expected.format(bad))
    assert err.count("\n") == 1
    assert main([*arguments, "--json"]) == 1
    first, second, third = json.loads(capsys.readouterr().out)
    assert first == third
    assert second == {"image": str(bad), "predictions": [], "problem": err.removesuffix("\n")}
    assert main([*arguments, "--csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["problem"] for row in rows] == ["", err.removesuffix("\n"), ""]
    (row,) = first["predictions"]
    assert rows[0] == {
        "image": str(good),
        "rank": "1",
        "class": "red",
        "name": "",
        "probability": str(row["probability"]),
        "problem": "",
    }


def test_a_folder_and_a_pattern(colour_run, tmp_path, capsys):
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    write(folder / "deep" / "red.png", RED)
    write(folder / "blue.png", BLUE).rename(folder / "blue.jfif")
    (folder / "notes.txt").touch()
    assert main(["predict", str(colour_run), str(folder), f"{folder}/*.jfif", "--csv", "--top", "1"]) == 0
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    found = [(row["image"].removeprefix(f"{folder}/"), row["class"]) for row in rows]
    assert found == [("blue.jfif", "blue"), ("deep/red.png", "red"), ("blue.jfif", "blue")]


def test_videos_beside_photos_are_not_read(colour_run, tmp_path, capsys, monkeypatch):
    """Three of 40 GB each, more than the memory holds; the disk has the beginning of each alone."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "1.png")
    for number in (2, 3, 4):
        (tmp_path / f"{number}.mp4").write_bytes(b"\0\0\0\x20ftypisom")
        os.truncate(tmp_path / f"{number}.mp4", 40 * 10**9)
    assert main(["predict", str(colour_run), "*.*", "--csv", "--top", "1"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["image"], row["class"]) for row in rows] == [("1.png", "red"), *((f"{n}.mp4", "") for n in (2, 3, 4))]
    assert rows[1]["problem"].startswith("cannot decode 2.mp4: damaged, or not a JPEG, PNG")


def test_formulas_in_names_of_files_are_text_in_csv(colour_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "=1+1.png")
    assert main(["predict", str(colour_run), "=1+1.png", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("'=1+1.png,1,red,")


def test_images_a_second_are_told_beside_the_result(colour_run, tmp_path, capsys):
    arguments = ["predict", "--csv", str(colour_run), str(write(tmp_path / "red.png"))]
    many = [*arguments, *arguments[-1:] * BATCH_SIZE]
    assert main(many) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 + 2 * (BATCH_SIZE + 1)
    assert re.fullmatch(r"33 images; after the first 32, [\d,.]+ images a second, files read included\n", err)
    for quiet in ([*many, "-q"], arguments):
        assert main(quiet) == 0
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_missing_files_are_named_before_the_model_is_looked_for(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([command, "no_such_model", "no.png", "nor.jpg"]) == 2
    assert capsys.readouterr().err == "lambda-zoo: no such file: no.png; no such file: nor.jpg\n"
