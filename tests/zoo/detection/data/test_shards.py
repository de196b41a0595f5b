import json

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.data.images import requirement
from lambda_keras.zoo.detection import evaluator
from lambda_keras.zoo.detection.data import shards
from lambda_keras.zoo.errors import UserError
from tests.little_room import little_room

REPORT = {"pictures_without_objects": 0, "objects": 1, "crowds": 0, "skipped": {}}


@pytest.fixture
def part(load_coco, content):
    return load_coco({**content, "licenses": [{"name": "CC-BY"}]})


@pytest.fixture
def written(part, tmp_path):
    shards.write(part, tmp_path / "shards", num_shards=2)
    return tmp_path / "shards"


def same(one, other):
    for mine, yours in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_what_is_read_is_what_was_written_to_the_bit(part, written):
    read = shards.load(written, with_masks=True)
    same(list(read.split.ordered().as_numpy_iterator()), list(part.split.ordered().as_numpy_iterator()))
    assert (read.categories, read.has_masks, read.report) == (part.categories, True, part.report)
    assert read.licences == part.licences == ("CC-BY",)
    assert read.split.count == 3
    assert evaluator.ground_truth(read) == evaluator.ground_truth(part)
    assert sorted(path.name for path in written.iterdir()) == [
        "index.json",
        "pictures-00000-of-00002.tfrecord",
        "pictures-00001-of-00002.tfrecord",
    ]


def test_an_index_that_names_no_licences_is_read(written):
    path = written / "index.json"
    index = json.loads(path.read_text())
    del index["licences"]
    path.write_text(json.dumps(index))
    assert shards.load(written, with_masks=True).licences == ()


def test_any_start_and_shard_is_a_slice_of_the_stream(written):
    split = shards.load(written, with_masks=True).split

    def positions_and_pictures(**place):
        rows = split.shuffled(3, **place).take(8).as_numpy_iterator()
        return [(int(position), int(annotations.image_id)) for position, _, annotations in rows]

    whole = positions_and_pictures()
    assert sorted(image_id for _, image_id in whole[:3]) == [2, 11, 30]
    assert positions_and_pictures(start=2)[:6] == whole[2:]
    assert positions_and_pictures(start=2, shard=1, num_shards=2)[:3] == whole[3::2]


def test_what_fails_half_way_leaves_nothing_that_counts(part, tmp_path, monkeypatch):
    calls = []

    def fail_at_the_second(encoded, annotations):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return original(encoded, annotations)

    original = shards._example
    monkeypatch.setattr(shards, "_example", fail_at_the_second)
    with pytest.raises(UserError, match="No space left on device"):
        shards.write(part, tmp_path / "shards", num_shards=1)
    assert list((tmp_path / "shards").iterdir()) == []
    with pytest.raises(UserError, match=r"shards has no index\.json"):
        shards.load(tmp_path / "shards", with_masks=True)


def test_a_full_disk_is_one_line(part, tmp_path, monkeypatch):
    original = shards._example
    monkeypatch.setattr(shards, "_example", lambda encoded, annotations: original(encoded * 100, annotations))
    with (
        little_room(),
        pytest.raises(UserError, match=r"cannot write .*pictures-00000-of-00001\.tfrecord: .*File too large"),
    ):
        shards.write(part, tmp_path / "shards", num_shards=1)
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_picture_that_vanishes_is_one_line(part, tmp_path):
    (tmp_path / "images" / "2.png").unlink()
    with pytest.raises(UserError, match=r"cannot write .*2\.png; No such file"):
        shards.write(part, tmp_path / "shards", num_shards=1)


def test_a_folder_is_written_once(part, written):
    with pytest.raises(UserError, match=r"has an index\.json already"):
        shards.write(part, written, num_shards=1)


@pytest.mark.parametrize("num_shards", [0, 4])
def test_as_many_shards_as_pictures_at_most(part, tmp_path, num_shards):
    with pytest.raises(UserError, match=rf"must be 1 to 3 \(pictures: 3\), got {num_shards}"):
        shards.write(part, tmp_path / "shards", num_shards)


def test_masks_that_are_not_there_are_missed(load_coco, tmp_path):
    shards.write(load_coco(with_masks=False), tmp_path / "boxes", num_shards=1)
    assert not shards.load(tmp_path / "boxes", with_masks=False).has_masks
    with pytest.raises(UserError, match="have no masks; train a detector of boxes alone"):
        shards.load(tmp_path / "boxes", with_masks=True)


def test_a_file_that_was_cut_off_is_seen(written):
    path = written / "pictures-00001-of-00002.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"00001-of-00002\.tfrecord is missing or not as long"):
        shards.load(written, with_masks=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "is not the index of a folder of shards"),
        ({"shards": []}, "names no shards"),
        ({"shards": [{"file": "../x", "pictures": 1, "bytes": 1}]}, "a shard is a file beside it"),
        ({"shards": [{"file": "x"}]}, "has no pictures"),
        ({"categories": [{"id": "1", "name": "x"}]}, "id must be a whole number"),
        ({"report": {"a": 1}}, "has no report as it was written"),
        ({"report": {"pictures": "3"} | REPORT}, "has no report as it was written"),
        ({"report": {"pictures": None} | REPORT}, "has no report as it was written"),
        ({"report": {"pictures": 3, "most_objects": "many"} | REPORT}, "has no report as it was written"),
    ],
)
def test_another_index_is_one_line(written, changes, message):
    index = json.loads((written / "index.json").read_text())
    (written / "index.json").write_text(json.dumps(index | changes))
    with pytest.raises(UserError, match=message):
        shards.load(written, with_masks=False)


@pytest.mark.parametrize("column", ["counts", "areas"])
def test_a_picture_with_more_of_one_column_than_of_others_is_refused(part, tmp_path, monkeypatch, column):
    def with_one_more(encoded, annotations):
        values = getattr(annotations, column)
        return original(encoded, annotations._replace(**{column: np.concatenate([values, values[:1]])}))

    original = shards._example
    monkeypatch.setattr(shards, "_example", with_one_more)
    shards.write(part, tmp_path / "shards", num_shards=1)
    read = shards.load(tmp_path / "shards", with_masks=True)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        list(read.split.ordered())
    assert "more of some columns of its objects than of others" in requirement.reason(caught.value)
