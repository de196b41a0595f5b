from collections import Counter

import pytest
from PIL import Image

from lambda_keras.zoo.data.sources import listing
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning import file_check


@pytest.fixture(scope="module")
def checked(messy_folder):
    return file_check.check(listing.of_folder(messy_folder))


def reasons(check, folder):
    return {str(file.path.relative_to(folder)): file.reason for file in check.left_out}


def test_what_can_be_read_is_kept(checked, messy_folder):
    names = {str(image.row.path.relative_to(messy_folder)) for image in checked.images}
    good = {f"dog/{number}.jpg" for number in range(5)} | {"one/only.jpg"}
    good |= {f"cat/{name}" for name in ("0.jpg", "1.jpg", "3.jpg", "4.jpg", "same.jpg", "link.jpg")}
    good |= {f"cat/{name}" for name in ("sixteen_bits.png", "cmyk.jpg", "palette.png", "animated.gif", "huge.png")}
    assert names == good | {"cat/grüße 图.PNG"}


def test_sizes_are_those_of_the_pictures(checked):
    sizes = Counter((image.width, image.height) for image in checked.images)
    assert sizes == {(64, 48): 17, (9000, 6000): 1}


def test_all_else_is_left_out_with_a_reason(checked, messy_folder):
    both = "the same file in two classes"
    assert reasons(checked, messy_folder) == {
        "readme.txt": "beside the class folders",
        "nobody": "a class without images",
        "cat/nowhere.jpg": "a link to nothing",
        "cat/text.jpg": "damaged, or not a JPEG, PNG, BMP, GIF or WebP file",
        "cat/empty.jpg": "an empty file",
        "cat/notes.txt": "not an image: it ends in none of .jpg, .jpeg, .jfif, .png, .bmp, .gif, .webp",
        "cat/older": "a folder inside a class",
        "cat/2.jpg": both,
        "dog/a cat.jpg": both,
        # A folder and a link to it are two classes with the same files.
        **{f"{name}/{number}.jpg": both for name in ("Löwe", "owl") for number in range(5)},
        **{name: "a class of which no image is left" for name in ("Löwe", "owl")},
    }


def test_copies_in_one_class_are_counted(checked):
    assert checked.copies == 2


def make(folder, files):
    """Writes `{name: number}`, PNGs of one pixel, another one for each number."""
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1, 1), (value // 256, value % 256, 0)).save(folder / name)
    return folder


def test_copies_in_several_parts_stay_where_they_matter_most(tmp_path):
    pixels = {"train/a/1.png": 1, "train/a/2.png": 2, "train/a/3.png": 3, "train/b/4.png": 4, "train/b/7.png": 7}
    pixels |= {"validation/a/1.png": 1, "validation/a/2.png": 2, "validation/b/5.png": 5}
    pixels |= {"test/a/1.png": 1, "test/b/6.png": 6}
    check = file_check.check(listing.of_folder(make(tmp_path, pixels)))
    assert reasons(check, tmp_path) == {
        "train/a/1.png": "in train, the same file as one of test",
        "train/a/2.png": "in train, the same file as one of validation",
        "validation/a/1.png": "in validation, the same file as one of test",
    }


def test_a_class_that_is_not_trained_is_left_out_of_the_other_parts(tmp_path):
    pixels = {
        f"train/{name}/{number}.png": 10 * number + place for place, name in enumerate("ab") for number in range(3)
    }
    check = file_check.check(listing.of_folder(make(tmp_path, {**pixels, "test/c/1.png": 200, "test/a/1.png": 201})))
    assert reasons(check, tmp_path) == {
        "test/c/1.png": "of a class without training images",
        "test/c": "a class of which no image is left",
    }


def test_a_thousand_classes(tmp_path):
    make(tmp_path, {f"{number:04}/1.png": number for number in range(1000)})
    check = file_check.check(listing.of_folder(tmp_path))
    assert [image.row.label for image in check.images] == [f"{number:04}" for number in range(1000)]


def test_one_class_is_too_few(tmp_path):
    make(tmp_path, {"a/1.png": 1})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.png").touch()
    with pytest.raises(UserError, match=r"at least 2 classes, found 1 \(a\); left out: 1 \(an empty file\)"):
        file_check.check(listing.of_folder(tmp_path))
