import os
import re

import pytest

from lambda_keras.zoo.data.files.image_files import below, check_unpacked, find, first_below, is_image
from lambda_keras.zoo.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("b.png", "a.JPG", "c.jfif", "notes.txt", "._a.jpg", "deep/er/d.webp", ".git/e.png", "x[1].png", "x1.png")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_names_of_images():
    assert all(map(is_image, ("a.jpg", "a.JPEG", "a.jfif", "a.png", "a.bmp", "a.gif", "a.webp")))
    assert not any(map(is_image, ("a.txt", ".a.jpg", "jpg", "a.jpg.part")))


def test_what_is_below_a_folder(folder):
    assert below(folder) == ["a.JPG", "b.png", "c.jfif", "deep/er/d.webp", "x1.png", "x[1].png"]
    assert first_below(folder) == "a.JPG"
    assert first_below(folder / ".git" / "..") == "a.JPG"
    assert first_below(folder / "nowhere") is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["notes.txt", "b.png", "b.png"], ["notes.txt", "b.png", "b.png"]),  # Who names a file wants it.
        (["deep", "a.JPG"], ["deep/er/d.webp", "a.JPG"]),
        (["*.png"], ["b.png", "x1.png", "x[1].png"]),
        (["**/*.webp"], ["deep/er/d.webp"]),
        (["x[1].png"], ["x[1].png"]),
        (["x[12].png"], ["x1.png"]),
    ],
)
def test_what_somebody_typed(folder, words, expected):
    assert list(map(str, find(words))) == expected


def test_all_that_is_missing_is_named_in_one_line(folder):
    os.mkdir("empty")
    words = ["a.JPG", "no.png", "empty", "*.tiff", "n" * 300]
    expected = (
        "no such file: no.png; no image files (endings .jpg, .jpeg, .jfif, .png, .bmp, .gif, .webp) in empty; "
        f"no file is as the pattern *.tiff says; no such file: {'n' * 300}"
    )
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        find(words)
    with pytest.raises(UserError, match=r"no such file: 4.png; and 7 more$"):
        find([f"{number}.png" for number in range(12)])


@pytest.mark.parametrize("name", ["pictures.zip", "PICTURES.ZIP", "pictures.tar.gz", "pictures.tgz"])
def test_an_archive_is_to_be_unpacked(folder, name):
    (folder / name).touch()
    with pytest.raises(UserError, match="is an archive; unpack it and give the folder that comes out"):
        find([name])
    with pytest.raises(UserError, match="is an archive"):
        check_unpacked(name)
    (folder / name).unlink()
    (folder / name).mkdir()
    check_unpacked(name)
