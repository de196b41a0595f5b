import numpy as np
import pytest
from PIL import Image

from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.class_folders import write_images
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.data.splits import ArraySplit, Dataset
from lambda_keras.zoo.errors import UserError


def test_all_digits_as_class_folders(tmp_path, capsys):
    write_images("digits", tmp_path / "digits")
    assert capsys.readouterr().out == f"Wrote 1,797 images of 10 classes to {tmp_path}/digits\n"
    written = sorted(
        (file.parent.name, np.asarray(Image.open(file)).tobytes()) for file in tmp_path.glob("digits/*/*.png")
    )
    images, labels = digits.load_arrays()
    assert written == sorted((str(label), image.tobytes()) for image, label in zip(images, labels, strict=True))


def test_a_class_name_with_a_slash_is_one_folder(tmp_path, monkeypatch):
    part = ArraySplit(np.zeros((2, 4, 4, 1), "uint8"), [0, 1])
    dataset = Dataset("x", ("T-shirt/top", "bag"), 1, (0.5,), (0.2,), part, part, part)
    monkeypatch.setattr(catalog, "load", lambda *arguments: dataset)
    write_images("x", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["T-shirt-top", "bag"]
    files = sorted(path.name for path in (tmp_path / "bag").iterdir())
    assert files == ["00001.png", "00003.png", "00005.png"]


def test_folders_that_are_taken(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UserError, match="is not empty; give a new folder with --out"):
        write_images("digits", tmp_path)
    with pytest.raises(UserError, match=r"cannot write to .*mine.txt: File exists"):
        write_images("digits", tmp_path / "mine.txt")
