import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from pycocotools import mask as coco_masks

from lambda_keras.zoo.cli import main
from lambda_keras.zoo.detection import detections
from lambda_keras.zoo.detection.detections import Detections
from lambda_keras.zoo.detection.predict import predict

GREY, BLUE = (128, 128, 128), (20, 20, 250)
BOX = (16, 8, 60, 40)  # ymin, xmin, ymax and xmax in pixels of the picture as one sees it


@pytest.fixture
def find_blue(monkeypatch):
    """Detectors find one object of the second class with a mask of ones: the box around all that is blue."""

    def detect(network, model, images, contents, combined_suppression):
        blue = images[..., 2] - images[..., 0] > 0.8
        sides = []
        for axis in (1, 2):
            is_blue = tf.cast(tf.reduce_any(blue, axis=3 - axis), tf.int32)
            sides.append((tf.argmax(is_blue, axis=1), 64 - tf.argmax(is_blue[:, ::-1], axis=1)))
        (top, bottom), (left, right) = sides
        box = tf.cast(tf.stack([top, left, bottom, right], axis=1), tf.float32)
        ones = tf.ones([1, 1])
        return Detections(box[:, tf.newaxis], 2 * tf.cast(ones, tf.int32), 0.9 * ones, tf.ones([1, 1, 28, 28]))

    monkeypatch.setattr(detections, "detect", detect)


def write(path, height, width, orientation=1):
    """A grey picture with a blue rectangle in `BOX`, stored in such a way that it must be turned as EXIF says."""
    pixels = np.full((height, width, 3), GREY, "uint8")
    pixels[BOX[0] : BOX[2], BOX[1] : BOX[3]] = BLUE
    image = Image.fromarray(pixels)
    if orientation == 6:
        image = image.transpose(Image.Transpose.ROTATE_90)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("height", "width", "orientation"), [(128, 48, 1), (72, 128, 1), (128, 48, 6), (72, 128, 6), (64, 64, 1)]
)
def test_boxes_are_where_the_pictures_pixels_are(run, find_blue, height, width, orientation, tmp_path, capsys):
    file = write(tmp_path / "猫.png", height, width, orientation)
    assert main(["detect", "predict", str(run), str(file), "--out", str(tmp_path / "out")]) == 0
    (box,) = json.loads((tmp_path / "out" / "boxes.json").read_text())
    ymin, xmin, ymax, xmax = BOX
    assert (box["image_id"], box["category_id"]) == (1, 7)
    np.testing.assert_allclose(box["bbox"], [xmin, ymin, xmax - xmin, ymax - ymin], atol=2)
    (mask,) = json.loads((tmp_path / "out" / "masks.json").read_text())
    assert mask["segmentation"]["size"] == [height, width]
    np.testing.assert_allclose(coco_masks.toBbox(mask["segmentation"]), box["bbox"], atol=1)
    content = json.loads((tmp_path / "out" / "pictures.json").read_text())
    assert content["images"] == [{"id": 1, "file_name": str(file), "height": height, "width": width}]
    assert [entry["name"] for entry in content["categories"]] == ["cat", "dog", "owl"]
    drawn = np.asarray(Image.open(tmp_path / "out" / "1_猫.png"))
    assert drawn.shape == (height, width, 3)
    # What is grey in the corner stays, what is blue in the middle of the box is covered.
    assert drawn[-1, -1].tolist() == list(GREY)
    assert drawn[50, 30].tolist() != list(BLUE)
    out = capsys.readouterr().out
    assert "dog" in out
    assert "90.0%" in out


def test_what_a_detector_finds_is_in_its_picture_and_in_the_files(run, tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 40, 3)).astype("uint8")
    for name in ("a.png", "b.jpg"):
        Image.fromarray(pixels).save(tmp_path / name)
    predict(run, [tmp_path / "a.png", tmp_path / "b.jpg", tmp_path / "a.png"], tmp_path / "out", lowest_score=0)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"1_a.png", "2_b.png", "3_a.png", "boxes.json", "masks.json", "pictures.json"}
    boxes, masks = (json.loads((tmp_path / "out" / name).read_text()) for name in ("boxes.json", "masks.json"))
    assert {box["image_id"] for box in boxes} == {1, 2, 3}
    for box, mask in zip(boxes, masks, strict=True):
        x, y, width, height = box["bbox"]
        assert 0 <= x <= x + width <= 40
        assert 0 <= y <= y + height <= 90
        assert mask["segmentation"]["size"] == [90, 40]
        assert (mask["score"], mask["category_id"]) == (box["score"], box["category_id"])
    rows = [line for line in capsys.readouterr().out.splitlines() if "%" in line]
    assert len(rows) == len(boxes)


def test_a_picture_in_which_nothing_is_found_says_so(run, find_blue, tmp_path, capsys):
    file = write(tmp_path / "grey.png", 64, 64)
    predict(run, [file], tmp_path / "out", lowest_score=0.95)
    assert "none" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "out" / "boxes.json").read_text())) == 1
    np.testing.assert_array_equal(Image.open(tmp_path / "out" / "1_grey.png"), Image.open(file))


def test_a_folder_with_files_that_cannot_be_read(run, find_blue, tmp_path, capsys):
    folder = tmp_path / "birds"
    (folder / "more").mkdir(parents=True)
    (folder / "2.png").write_text("no picture")
    for name, side in (("1.png", 64), ("3.png", 80), ("more/4.png", 64)):
        write(folder / name, side, 64)
    (folder / "notes.txt").touch()
    out = tmp_path / "out"
    assert main(["detect", "predict", str(run), str(folder), "--out", str(out), "--most-pixels", "5000"]) == 1
    printed = capsys.readouterr()
    reasons = printed.err.splitlines()
    assert f"cannot decode {folder}/2.png: damaged, or not a JPEG, PNG, BMP, GIF or WebP file" in reasons
    assert f"cannot decode {folder}/3.png: 64x80 pixels, over the limit of 5,000; --most-pixels raises it" in reasons
    rows = [line.split()[:3] for line in printed.out.splitlines()[2:6]]
    assert rows[1:3] == [[f"{folder}/{name}", "(cannot", "be"] for name in ("2.png", "3.png")]
    content = json.loads((out / "pictures.json").read_text())
    assert [(image["id"], image["file_name"]) for image in content["images"]] == [
        (1, f"{folder}/1.png"),
        (4, f"{folder}/more/4.png"),
    ]
    assert {entry["image_id"] for entry in json.loads((out / "boxes.json").read_text())} == {1, 4}
    assert {path.name for path in out.glob("*.png")} == {"1_1.png", "4_4.png"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["missing.png"], "no such file: missing.png"),
        (["*.gif"], "no file is as the pattern *.gif says"),
        (["grey.png", "--score", "2"], "--score must be 0 to 1, got 2.0"),
        (["grey.png", "--out", "text.png"], "cannot write to text.png"),
    ],
)
def test_bad_input_ends_in_a_line(run, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    write(tmp_path / "grey.png", 64, 64)
    assert main(["detect", "predict", str(run), "--out", "out", *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
