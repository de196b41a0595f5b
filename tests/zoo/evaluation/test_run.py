import contextlib
import csv
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.cli import main
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.evaluation.report import ClassFigures
from lambda_keras.zoo.evaluation.run import _print_classes, evaluate
from lambda_keras.zoo.models.record import TrainedOn

FILES = {"evaluation.json", "per_class.csv", "confusion_matrix.png"}
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(scope="module")
def evaluation(saved_run, tmp_path_factory):
    """An evaluation of the digits' test part: its report, its folder, and the words of each line it printed."""
    folder = tmp_path_factory.mktemp("evaluation") / "new" / "folder"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        report = evaluate(saved_run, out=folder, batch_size=128)
    return report, folder, [line.split() for line in printed.getvalue().splitlines()]


@pytest.fixture(scope="module")
def expected(model, record):
    """What the model says of the digits' test part, by way of Keras alone."""
    images, labels = zip(*catalog.load(record.data()).test.ordered().as_numpy_iterator(), strict=True)
    images = tf.image.resize(np.stack(images), (32, 32), "bicubic", antialias=True)
    images = np.clip(np.round(images), 0, 255)
    return model.predict((images / 255 - 0.305) / 0.376, verbose=0), np.array(labels)


def write_png(path, colour, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(np.full((*size, 3), colour, "uint8")).numpy())


@pytest.fixture
def image_folder(tmp_path):
    """Red and blue images; of the test part one red image is under blue, and one file is damaged."""
    for part, count in (("train", 4), ("validation", 2), ("test", 5)):
        for name, colour in (("red", RED), ("blue", BLUE)):
            for number in range(count):
                write_png(tmp_path / "images" / part / name / f"{number}.png", colour)
    write_png(tmp_path / "images" / "test" / "blue" / "0.png", RED)
    (tmp_path / "images" / "test" / "red" / "1.png").write_bytes(b"\x89PNG\r\n damaged")
    return tmp_path / "images"


def test_the_figures_are_those_of_the_model(evaluation, expected):
    report, _, _ = evaluation
    probabilities, labels = expected
    predicted = probabilities.argmax(-1)
    assert len(set(predicted)) > 3, "the test model says different things"
    assert report.images == 450
    assert report.top_1 == pytest.approx(np.mean(predicted == labels))
    assert report.loss == pytest.approx(-np.log(probabilities[range(450), labels]).mean(), rel=1e-4)
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (labels, predicted), 1)
    np.testing.assert_array_equal(report.confusion, matrix)


def test_all_figures_and_what_was_evaluated_are_written(evaluation, saved_run):
    report, folder, _ = evaluation
    assert {file.name for file in folder.iterdir()} == FILES
    assert json.loads((folder / "evaluation.json").read_text()) == {
        "source": str(saved_run / "model.keras"),
        "model": "lambda_resnet_tiny",
        "dataset": "digits",
        "split": "test",
        "split_expression": None,
        "image_size": 32,
        "evaluation_crop": 1.0,
        "interpolation": "bicubic",
        "images": 450,
        "unreadable_images": 0,
        "left_out": 0,
        "top_1": report.top_1,
        "top_5": report.top_5,
        "loss": report.loss,
        "calibration_error": report.calibration_error,
        "unreadable_files": [],
        "left_out_files": [],
    }


def test_the_table_of_classes_is_written(evaluation):
    report, folder, _ = evaluation
    rows = list(csv.DictReader((folder / "per_class.csv").open(encoding="utf-8")))
    assert [row["class"] for row in rows] == list("0123456789")
    for row, figures in zip(rows, report.classes, strict=True):
        assert int(row["images"]) == figures.images
        for name in ("recall", "precision", "f1"):
            expected = getattr(figures, name)
            assert row[name] == ("" if np.isnan(expected) else str(expected))


def test_the_figures_are_printed(evaluation):
    report, folder, printed = evaluation
    assert printed[0][-5:] == ["on", "digits,", "test:", "450", "images"]
    for row in (["image", "size", "32"], ["top-1", f"{report.top_1:.2%}"], ["top-5", f"{report.top_5:.2%}"]):
        assert row in printed
    assert ["expected", "calibration", "error", f"{report.calibration_error:.4f}"] in printed
    three = report.classes[3]
    assert ["3", str(three.images), f"{three.recall:.2%}"] in [line[:3] for line in printed]
    assert printed[-1] == ["Wrote", str(folder)]


def test_the_folder_beside_the_model_is_the_default(colour_run, image_folder, tmp_path):
    run = shutil.copytree(colour_run, tmp_path / "run")
    evaluate(run / "model.keras", data_dir=image_folder)
    assert {file.name for file in (run / "evaluation").iterdir()} == FILES


@pytest.mark.parametrize(("split", "images"), [("train", 8), ("validation", 4)])
def test_other_parts(colour_run, image_folder, tmp_path, split, images):
    assert evaluate(colour_run, data_dir=image_folder, split=split, out=tmp_path).images == images
    assert json.loads((tmp_path / "evaluation.json").read_text())["split"] == split


def test_another_crop_is_told_and_changes_the_figures(saved_run, evaluation, tmp_path, capsys):
    report = evaluate(saved_run, evaluation_crop=0.5, out=tmp_path)
    assert report.loss != evaluation[0].loss
    assert "evaluation_crop 0.5 instead of the record's 1.0" in capsys.readouterr().out
    assert json.loads((tmp_path / "evaluation.json").read_text())["evaluation_crop"] == 0.5


def test_another_size_for_a_model_of_any_size(colour_run, image_folder, tmp_path, capsys):
    evaluate(colour_run, data_dir=image_folder, image_size=9, out=tmp_path)
    assert "image_size 9 instead of the record's 8" in capsys.readouterr().out
    assert json.loads((tmp_path / "evaluation.json").read_text())["image_size"] == 9


def test_a_damaged_image_is_counted_and_left_out(colour_run, image_folder, tmp_path, capsys):
    report = evaluate(colour_run, data_dir=image_folder, batch_size=4, out=tmp_path)
    np.testing.assert_array_equal(report.confusion, [[4, 1], [0, 4]])
    assert report.top_5 is None
    figures = json.loads((tmp_path / "evaluation.json").read_text())
    assert (figures["images"], figures["unreadable_images"], figures["top_5"]) == (9, 1, None)
    printed = capsys.readouterr().out
    assert ["images", "that", "could", "not", "be", "read", "1"] in [line.split() for line in printed.splitlines()]
    reason, path = "damaged, or not a JPEG, PNG, BMP, GIF or WebP file", f"{image_folder}/test/red/1.png"
    assert figures["unreadable_files"] == [{"path": path, "reason": reason}]
    assert f"left out: 1 ({reason}): {path}" in printed.splitlines()
    assert "top-5" not in printed


def test_images_of_more_pixels_than_asked_for_are_left_out(colour_run, image_folder, tmp_path):
    write_png(image_folder / "test" / "red" / "0.png", RED, size=(13, 10))
    arguments = ["--data-dir", image_folder, "--out", tmp_path, "--most-pixels", 120]
    assert main(["evaluate", *map(str, [colour_run, *arguments])]) == 0
    # The damaged one is left out too.
    assert json.loads((tmp_path / "evaluation.json").read_text())["unreadable_images"] == 2


def test_nothing_but_damaged_images(colour_run, image_folder, tmp_path):
    for file in image_folder.glob("test/*/*.png"):
        file.write_bytes(b"damaged")
    words = r"none of the 10 images of image_folder, test, could be read; left out: 10 \(damaged, or"
    with pytest.raises(UserError, match=words):
        evaluate(colour_run, data_dir=image_folder, out=tmp_path)


def test_other_classes_are_refused(colour_run, image_folder, tmp_path):
    for folder in image_folder.glob("*/blue"):
        folder.rename(folder.with_name("azure"))
    with pytest.raises(UserError, match="the first that differs is label 0, expected 'blue', got 'azure'"):
        evaluate(colour_run, data_dir=image_folder, out=tmp_path)


def test_images_of_other_channels_are_refused(colour_run, tmp_path):
    with pytest.raises(UserError, match="takes images with 3 channels, those of digits have 1"):
        evaluate(colour_run, data="digits", out=tmp_path)


def test_of_another_dataset_the_records_split_expressions_are_not_used(record, saved_run, image_folder, tmp_path):
    run = shutil.copytree(saved_run, tmp_path / "run")
    trained_on = TrainedOn("fashion_mnist", train="train[20:]", validation="train[:20]", test="test[:5]")
    dataclasses.replace(record, trained_on=trained_on).write(run / "record.json")
    assert evaluate(run, data="digits").images == 450


def test_new_images_in_a_folder_are_all_evaluated(colour_run, image_folder, tmp_path, capsys):
    """A subset of the classes, of which no image is known to the training; one file is no image."""
    new = image_folder / "train"
    shutil.rmtree(new / "blue")
    (new / "red" / "notes.txt").touch()
    arguments = ["evaluate", colour_run, "--data", new, "--out", tmp_path / "out"]
    assert main([*map(str, arguments)]) == 0
    printed = capsys.readouterr().out
    reason = "not an image: it ends in none of .jpg, .jpeg, .jfif, .png, .bmp, .gif, .webp"
    assert f"on {new}, all: 4 images\nleft out: 1 ({reason}): {new}/red/notes.txt\n" in printed
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert (figures["dataset"], figures["split"], figures["images"], figures["top_1"]) == (str(new), "all", 4, 1.0)
    rows = csv.DictReader((tmp_path / "out" / "per_class.csv").open(encoding="utf-8"))
    assert [(row["class"], row["images"], row["recall"]) for row in rows] == [("blue", "0", ""), ("red", "4", "1.0")]


def test_rows_of_a_table_without_a_file_are_counted_and_named(colour_run, image_folder, tmp_path, capsys):
    """Of the test part, as -q prints it: one file is missing, one has another ending, one is damaged."""
    rows = ["test/red/0.png,red,test", "test/red/9.png,red,test", "test/red/0.tif,red,test", "test/red/1.png,red,test"]
    table = image_folder / "table.csv"
    table.write_text("\n".join(["path,label,split", *rows, "train/red/9.png,red,train"]))
    (image_folder / "test" / "red" / "0.tif").touch()
    assert main(["evaluate", str(colour_run), "--data", str(table), "--out", str(tmp_path / "out"), "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"left out: 1 (not there, or not a file): {image_folder}/test/red/9.png"
    assert [line.split("(")[0] for line in lines[:3]] == ["left out: 1 "] * 3
    assert ["left", "out", "before", "they", "were", "read", "2"] in [line.split() for line in lines]
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert (figures["images"], figures["unreadable_images"], figures["left_out"]) == (1, 1, 2)
    assert [file["path"] for file in figures["unreadable_files"]] == [f"{image_folder}/test/red/1.png"]
    assert figures["left_out_files"][0] == {
        "path": f"{image_folder}/test/red/9.png",
        "reason": "not there, or not a file",
    }


def test_a_folder_that_cannot_be_written(saved_run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write to .*file.*--out"):
        evaluate(saved_run, out=tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"batch_size": 0}, "--batch-size must be 1 to 65,536, got 0"),
        ({"evaluation_crop": 2.0}, "evaluation_crop must be less than or equal to 1, got 2.0"),
        ({"image_size": 0}, "image_size must be greater than or equal to 8, got 0"),
        ({"data": __file__}, f"--data {__file__}: this file is neither a folder nor a CSV file; .* or the name of a"),
        ({"data": "no_such_set"}, "--data no_such_set: no such file or folder, and as a dataset: .*no_such_set"),
    ],
)
def test_wrong_arguments(saved_run, tmp_path, arguments, expected):
    with pytest.raises(UserError, match=expected):
        evaluate(saved_run, out=tmp_path / "out", data_dir=tmp_path, **arguments)
    assert not (tmp_path / "out").exists()


def test_of_many_classes_the_twenty_worst_are_printed(capsys):
    shares = [0.5] * 30 + [float("nan")] + [0.1] * 15 + [0.2] * 5
    _print_classes([ClassFigures(f"class{i}", 9, share, share, share) for i, share in enumerate(shares)])
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("class")]
    assert names[1:] == [f"class{i}" for i in range(31, 51)]
