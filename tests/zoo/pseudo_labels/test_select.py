import io
import json

import numpy as np
import pytest
from PIL import Image

from lambda_keras.zoo.cli import main


def save(pixels, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture(scope="module")
def data(photographs, colour_run, tmp_path_factory):
    """Labels, by colour, of pictures with copies of evaluation images and of each other, and a file that is none."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(12):
        save(photographs[number], folder / "pictures" / f"{number:02}.jpg", quality=92)
    save(photographs[3], folder / "pictures" / "12 is 03.jpg", quality=50)
    (folder / "pictures" / "<b>garbage.png").write_bytes(b"none")
    save(photographs[0][:, ::-1], folder / "evaluation" / "<i>mirrored.jpg", quality=40)
    save(photographs[1][::2, ::2], folder / "evaluation" / "halved.jpg")
    save(photographs[17], folder / "evaluation" / "innocent.jpg")
    (folder / "evaluation" / "garbage.png").write_bytes(b"none")
    command = ["pseudo-label", "--teacher", str(colour_run), "--data", str(folder / "pictures")]
    assert main([*command, "--out", str(folder / "labels"), "--images-per-shard", "5", "-q"]) == 0
    return folder


def labels_by_id(data, read_examples):
    examples = read_examples(*sorted((data / "labels").glob("*.tfrecord")))
    return {example["id"].bytes_list.value[0].decode(): example for example in examples}


def test_what_is_selected_has_its_image_and_label_and_no_copies(data, tmp_path, capsys, read_examples):
    out = tmp_path / "out"
    arguments = ["--evaluation", str(data / "evaluation"), "--per-class", "8", "--shards", "3", "--threshold", "0.5"]
    assert main(["pseudo-label", "select", str(data / "labels"), "--out", str(out), *arguments]) == 0
    printed = capsys.readouterr().out
    description = json.loads((out / "pseudo.json").read_text())
    assert description["classes"] == ["blue", "red"]
    assert set(description["teacher"]) == {"name", "sha256"}
    assert description["selection"]["per_class"] == 8
    assert description["selection"]["copies_of_evaluation_images"] == 2
    assert description["selection"]["near_duplicates"] == 1
    assert sum(description["shards"].values()) == 16
    labelled = labels_by_id(data, read_examples)
    records = read_examples(*(out / name for name in description["shards"]))
    assert len(records) == 16
    ids = [record["id"].bytes_list.value[0].decode() for record in records]
    for identifier, record in zip(ids, records, strict=True):
        assert record["image"].bytes_list.value[0] == (data / "pictures" / identifier).read_bytes()
        for name in ("source", "classes", "probabilities", "rest"):
            assert record[name] == labelled[identifier][name]
    # The copies of evaluation images, the unreadable one, and of two that are alike the less confident.
    first, second = (
        max(labelled[identifier]["probabilities"].float_list.value) for identifier in ("03.jpg", "12 is 03.jpg")
    )
    less = "12 is 03.jpg" if first >= second else "03.jpg"
    assert set(ids) == set(labelled) - {"00.jpg", "01.jpg", "<b>garbage.png", less}
    classes = [record["classes"].int64_list.value[0] for record in records]
    assert sorted(classes) == [0] * 8 + [1] * 8
    assert "1 evaluation images could not be read" in printed
    # The page shows the pairs and has no markup of the user's.
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("left out<br>") == 3
    assert "&lt;i&gt;mirrored.jpg" in page
    assert "<i>mirrored" not in page
    assert "<script" not in page
    assert "The first 2; their number is in the figures above." in page
    assert "of images whose shorter side has less than 64 pixels only exact copies are found" in page
    # Two plots, six pictures of pairs, and an example of each selected image.
    assert page.count("<img") == 2 + 6 + len(set(ids))
    counts = [label["classes"].int64_list.value[:1] == [0] for label in labelled.values()]
    assert f"<td>blue</td><td>{sum(counts)}</td>" in page.replace("\n", "")


def test_images_of_an_array_become_png_files(teacher_run, tmp_path, read_examples):
    labels, out = tmp_path / "labels", tmp_path / "out"
    data = ["--data", "digits", "--split", "test", "--images-per-shard", "100"]
    assert main(["pseudo-label", "--teacher", str(teacher_run), *data, "--out", str(labels), "-q"]) == 0
    evaluation = ["--evaluation", "digits", "--evaluation-split", "validation"]
    assert main(["pseudo-label", "select", str(labels), "--out", str(out), *evaluation, "--shards", "2"]) == 0
    from lambda_keras.zoo.data.sources import digits

    images = digits.load(0.1).test.images.numpy()
    records = read_examples(*sorted(out.glob("*.tfrecord")))
    assert len(records) > 300
    for record in records:
        pixels = np.asarray(Image.open(io.BytesIO(record["image"].bytes_list.value[0])))
        np.testing.assert_array_equal(pixels, images[int(record["id"].bytes_list.value[0]), ..., 0])


def test_a_class_of_which_no_image_is_selected_is_named(data, tmp_path, capsys, read_examples):
    surest = [0.0, 0.0]
    for example in labels_by_id(data, read_examples).values():
        for label in example["classes"].int64_list.value[:1]:
            surest[label] = max(surest[label], example["probabilities"].float_list.value[0])
    threshold, name = sum(surest) / 2, "blue" if surest[0] < surest[1] else "red"
    command = ["pseudo-label", "select", str(data / "labels"), "--out", str(tmp_path), "--threshold", str(threshold)]
    assert main([*command, "--shards", "1"]) == 0
    assert f"no image is selected of 1 of 2 classes: {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--threshold", "1"], "no image is selected: 0 of 14 have a probability of at least 1"),
        (["--threshold", "2"], "--threshold is a probability from 0 to 1, got 2.0"),
        (["--shards", "500"], "too few records to fill 500 files: "),
        (["--evaluation", "nowhere"], "there is no folder nowhere"),
        (["--data", "{data}/evaluation"], "has other images than those that were labelled"),
    ],
)
def test_what_does_not_fit_is_a_line(arguments, expected, data, tmp_path, capsys):
    arguments = [argument.format(data=data) for argument in arguments]
    assert main(["pseudo-label", "select", str(data / "labels"), "--out", str(tmp_path / "out"), *arguments]) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


def test_labels_must_be_whole_and_of_these_images(data, tmp_path, capsys):
    labels = tmp_path / "labels"
    labels.mkdir()
    for path in (data / "labels").iterdir():
        (labels / path.name).write_bytes(path.read_bytes())
    first, second, third = sorted(labels.glob("*.tfrecord"))
    command = ["pseudo-label", "select", str(labels), "--out", str(tmp_path / "out"), "--threshold", "0.1"]
    second.write_bytes(first.read_bytes())
    assert main([*command, "--shards", "1"]) == 2
    assert "the images are others than those that were labelled" in capsys.readouterr().err
    third.unlink()
    assert main(command) == 2
    assert "lacks 1 of 3 files of labels, the first is labels-00002-of-00003.tfrecord" in capsys.readouterr().err
    assert not (tmp_path / "out" / "pseudo.json").exists()
