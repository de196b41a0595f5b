import json

import pytest

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.pseudo_labels import labels_folder
from lambda_keras.zoo.pseudo_labels.labels_folder import DataEntry, Description, TeacherEntry
from lambda_keras.zoo.pseudo_labels.soft_labels import to_example

TEACHER = TeacherEntry(
    name="a", sha256="0a", image_size=8, evaluation_crop=1, interpolation="bicubic", mean=(0.5,), std=(0.5,)
)
DATA = DataEntry(data="here", data_dir=None, split=None, sha256="0b", images_per_shard=2)
LABELS = Description(format=1, classes=("a", "b"), teacher=TEACHER, data=DATA, top=1, most_pixels=9, files=2)
RECORDS = [to_example(b"0", b"s", [1], [0.9], 0.1), to_example(b"1", b"s")]


def test_the_first_job_says_what_a_folder_is_and_the_names_may_differ(tmp_path):
    assert labels_folder.open_for(tmp_path, LABELS) == LABELS
    moved = LABELS.model_copy(
        update={
            "teacher": TEACHER.model_copy(update={"name": "elsewhere"}),
            "data": DATA.model_copy(update={"data": "elsewhere"}),
        }
    )
    assert labels_folder.open_for(tmp_path, moved) == LABELS
    assert [path.name for path in tmp_path.iterdir()] == ["labels.json"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"teacher": TEACHER.model_copy(update={"sha256": "ff"})}, "labels of another teacher ('0a', now 'ff')"),
        ({"teacher": TEACHER.model_copy(update={"image_size": 9})}, "labels of images prepared otherwise"),
        ({"classes": ("a", "c")}, "labels of other classes"),
        ({"data": DATA.model_copy(update={"sha256": "ff"})}, "labels of other images"),
        ({"top": 2}, "labels with another --top (1, now 2)"),
        ({"most_pixels": 10}, "labels with another --most-pixels (9, now 10)"),
    ],
)
def test_other_labels_are_refused(changes, expected, tmp_path):
    labels_folder.open_for(tmp_path, LABELS)
    with pytest.raises(UserError) as caught:
        labels_folder.open_for(tmp_path, LABELS.model_copy(update=changes))
    assert expected in str(caught.value)


def test_of_two_jobs_that_begin_at_once_the_first_counts(tmp_path, monkeypatch):
    """The other one has found no file when it begins to write."""
    labels_folder.open_for(tmp_path, LABELS)
    labels_folder._write_first(tmp_path / "labels.json", LABELS.model_copy(update={"top": 2}))
    assert labels_folder.read(tmp_path) == LABELS
    assert [path.name for path in tmp_path.iterdir()] == ["labels.json"]


def test_it_is_finished_when_all_files_are_there(tmp_path):
    labels_folder.open_for(tmp_path, LABELS)
    first, second = (tmp_path / name for name in LABELS.names())
    labels_folder.write_shard(first, RECORDS)
    assert labels_folder.finish(tmp_path, LABELS) is None
    left = tmp_path / f".partial.00000000.{second.name}"
    left.touch()
    labels_folder.write_shard(second, [])
    shards = labels_folder.finish(tmp_path, LABELS).shards
    assert {name: (shard.images, shard.unreadable) for name, shard in shards.items()} == {
        first.name: (2, 1),
        second.name: (0, 0),
    }
    assert labels_folder.read(tmp_path).shards == shards
    assert sorted(tmp_path.iterdir()) == [first, second, tmp_path / "labels.json"]


def test_what_is_damaged_is_a_line(tmp_path):
    with pytest.raises(UserError, match=r"has no labels\.json; give a folder that"):
        labels_folder.read(tmp_path)
    for content, expected in (
        (b"\x00", "is damaged: Invalid JSON"),
        (b"{}", "is damaged: format is missing"),
        (json.dumps({**json.loads(LABELS.model_dump_json()), "format": 2}).encode(), "is damaged: format"),
    ):
        (tmp_path / "labels.json").write_bytes(content)
        with pytest.raises(UserError, match=expected):
            labels_folder.read(tmp_path)
    path = tmp_path / LABELS.names()[0]
    labels_folder.write_shard(path, RECORDS)
    with pytest.raises(UserError, match="cannot read"):
        labels_folder.labels_of(path, top=2)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="remove it, and the command that wrote it writes it again"):
        labels_folder.labels_of(path, top=1)
