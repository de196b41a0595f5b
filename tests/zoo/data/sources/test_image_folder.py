import pytest

from lambda_keras.zoo.data.files.parts import PARTS
from lambda_keras.zoo.data.sources import image_folder
from lambda_keras.zoo.errors import UserError


def make(folder, files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(file.encode())
    return folder


def names(split):
    """`(name of the file, label)` of each image; a file made by `make` holds its own name."""
    return [(content.decode(), int(label)) for content, label in split.ordered().as_numpy_iterator()]


def load(folder, validation_fraction=0.25):
    class_names, splits = image_folder.load(folder, validation_fraction)
    return class_names, [names(split) for split in splits]


@pytest.fixture
def flat(tmp_path):
    """40 cats and 20 dogs."""
    return make(tmp_path, [f"cat/{i}.jpg" for i in range(40)] + [f"dog/{i}.PNG" for i in range(20)])


def test_without_parts_the_same_share_of_each_class_is_held_out(flat):
    class_names, (train, validation, test) = load(flat)
    assert class_names == ("cat", "dog")
    for part, cats, dogs in ((train, 24, 12), (validation, 8, 4), (test, 8, 4)):
        assert [label for _, label in part] == [0] * cats + [1] * dogs
    everything = {name for part in (train, validation, test) for name, _ in part}
    assert len(everything) == 60
    assert all(name.startswith(class_names[label]) for part in (train, validation, test) for name, label in part)


def test_the_test_images_stay_the_same(flat):
    test = load(flat)[1][2]
    assert load(flat, validation_fraction=0.5)[1][2] == test
    (flat / "cat" / "40.jpg").write_bytes(b"cat/40.jpg")
    assert len(set(load(flat)[1][2]) & set(test)) >= 11


def test_held_out_images_are_no_row_of_neighbours(flat):
    numbers = [int(name.split("/")[1].split(".")[0]) for name, label in load(flat)[1][2] if label == 0]
    assert max(numbers) - min(numbers) > 15


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "validation", "test"), ("train", "validation")])
def test_with_parts(tmp_path, parts):
    make(tmp_path, [f"{part}/{name}/{i}.jpg" for part in parts for name in "ab" for i in range(20)])
    loaded = dict(zip(PARTS, load(tmp_path)[1], strict=True))
    for part in parts[1:]:
        assert len(loaded[part]) == 40
        assert all(name.startswith(f"{part}/") for name, _ in loaded[part])
    taken = sum(len(loaded[part]) for part in PARTS if part not in parts)
    assert len(loaded["train"]) == 40 - taken
    assert taken == {("train", "test"): 10, ("train", "validation"): 8}.get(parts, 0)


def test_a_class_may_be_missing_in_the_test_part(tmp_path):
    files = [f"{part}/{name}/{i}.jpg" for part in ("train", "test") for name in "ab" for i in range(4)]
    make(tmp_path, [file for file in files if not file.startswith("test/a")])
    assert {label for _, label in load(tmp_path)[1][2]} == {1}


def test_other_and_hidden_files_are_left_out(flat):
    make(flat, ["cat/notes.txt", "cat/._1.jpg", ".cache/1.jpg", "readme.jpg"])
    assert sum(map(len, load(flat)[1])) == 60


def test_a_name_that_is_not_text(tmp_path):
    make(tmp_path, [f"{name}/{i}.jpg" for name in "ab" for i in range(3)])
    with open(bytes(tmp_path) + b"/a/\xff.jpg", "wb") as file:
        file.write(b"a")
    assert sum(map(len, load(tmp_path)[1])) == 7


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], "must have a folder of images for each of at least 2 classes, got 0"),
        (["a/1.jpg"], "at least 2 classes, got 1"),
        (
            ["a/1.jpg", "b/1.txt"],
            r"class b has no images in .* \(endings .jpg, .jpeg, .jfif, .png, .bmp, .gif, ",
        ),
        (["train/a/1.jpg", "train/b/1.jpg", "dev/a/1.jpg"], "has the folder dev; beside train only validation"),
        (["val/a/1.jpg", "test/b/1.jpg"], "has no folder train beside validation, test; the layout is"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/c/1.jpg", "test/a/1.jpg"], "class c in .* is not among the classes"),
    ],
)
def test_folders_that_are_otherwise(tmp_path, files, expected):
    with pytest.raises(UserError, match=expected):
        load(make(tmp_path, files))


def test_a_broken_link(flat):
    (flat / "dog" / "link.jpg").symlink_to(flat / "nowhere.jpg")
    with pytest.raises(UserError, match=r"dog/link.jpg is not a file, or a link to a file that is not there"):
        load(flat)


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (None, "^data.name image_folder needs a folder of images; give --data-dir$"),
        ("nowhere", "^no such folder: nowhere; data.name image_folder needs a folder of images$"),
        (__file__, f"^{__file__} is not a folder; data.name image_folder needs"),
    ],
)
def test_no_folder(folder, words):
    with pytest.raises(UserError, match=words):
        image_folder.load(folder, 0.1)
