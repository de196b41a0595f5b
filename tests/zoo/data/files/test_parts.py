import pytest

from lambda_keras.zoo.data.files.parts import part_folders, part_named
from lambda_keras.zoo.errors import UserError


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train/a", "validation/a", "test/a"], {"train": "train", "validation": "validation", "test": "test"}),
        (["train/a", "val/a"], {"train": "train", "validation": "val"}),
        (["train/a", "valid/a", "test/a"], {"train": "train", "validation": "valid", "test": "test"}),
        (["Train/a", "Test/a"], {"train": "Train", "test": "Test"}),
        (["train/a", ".cache"], {"train": "train"}),
        (["test/a"], {"test": "test"}),
        (["val/a", "test/a"], {"validation": "val", "test": "test"}),
        (["test", "val"], {}),  # Classes, whose images are in them.
        (["a/b", "test/b"], {}),
        ([], {}),
    ],
)
def test_which_folders_are_parts(tmp_path, names, expected):
    found = part_folders(folders(tmp_path, *names))
    assert {part: path.name for part, path in found.items()} == expected
    assert list(found) == [part for part in ("train", "validation", "test") if part in expected]


def test_two_folders_of_one_part(tmp_path):
    with pytest.raises(UserError, match="has val and valid, which are both for validation; put the images into one"):
        part_folders(folders(tmp_path, "train", "val", "valid"))


def test_names_of_parts():
    assert [part_named(name) for name in ("VAL", "Test", "training")] == ["validation", "test", None]
