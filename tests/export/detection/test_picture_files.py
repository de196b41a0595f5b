import pytest

from lambda_keras.export.detection.picture_files import read_files
from lambda_keras.zoo.data.images.image_bytes import ImageFileError
from lambda_keras.zoo.errors import UserError
from tests.export.detection.conftest import png
from tests.zoo.detection.training import write_pictures


def test_the_first_pictures_of_a_folder(scenes, tmp_path):
    for number, scene in enumerate(scenes):
        (tmp_path / f"{number}.PNG").write_bytes(png(scene))
    (tmp_path / "notes.txt").write_text("no picture")
    assert list(read_files(str(tmp_path), 2)) == [(f"{tmp_path}/{n}.PNG", png(scenes[n])) for n in (0, 1)]


def test_what_is_no_picture_is_the_reason_why(scenes, tmp_path):
    (tmp_path / "0.png").write_text("no picture")
    (tmp_path / "1.png").write_bytes(png(scenes[1]))
    (_, problem), (_, content) = read_files(str(tmp_path), 2)
    assert isinstance(problem, ImageFileError)
    assert problem.reason == "damaged, or not a JPEG, PNG, BMP, GIF or WebP file"
    assert content == png(scenes[1])


def test_the_part_to_evaluate_with_of_data(tmp_path):
    write_pictures(tmp_path, train=1, val=3)
    for part in ("train", "val"):
        (tmp_path / f"{part}.json").rename(tmp_path / f"instances_{part}.json")
    found = list(read_files(str(tmp_path), 2))
    assert [name for name, _ in found] == [f"picture {number} of {tmp_path}" for number in (0, 1)]
    assert [content for _, content in found] == [(tmp_path / "val" / f"{n}.png").read_bytes() for n in (0, 1)]


def test_a_folder_without_either_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no file instances_val"):
        read_files(str(tmp_path), 2)
