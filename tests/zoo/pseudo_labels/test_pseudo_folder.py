import json
from collections import Counter

import pytest

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.pseudo_labels import pseudo_folder
from lambda_keras.zoo.pseudo_labels.soft_labels import to_example
from tests.little_room import little_room

EXAMPLES = [(to_example(b"%d" % number, b"s", [0], [1.0]), number % 3 + 1) for number in range(60)]
TOTAL = sum(copies for _, copies in EXAMPLES)


def ids(read_examples, folder, names):
    return [[example["id"].bytes_list.value[0] for example in read_examples(folder / name)] for name in names]


def test_all_copies_are_there_in_an_order_that_the_seed_draws(tmp_path, read_examples):
    orders = []
    for place, seed in enumerate((0, 0, 1)):
        folder = tmp_path / str(place)
        folder.mkdir()
        (folder / ".unshuffled").mkdir()  # Of a selection that was killed.
        shards = pseudo_folder.write(folder, iter(EXAMPLES), TOTAL, 4, seed)
        assert list(shards) == [f"selected-{shard:05}-of-00004.tfrecord" for shard in range(4)]
        assert max(shards.values()) - min(shards.values()) <= 1
        orders.append(ids(read_examples, folder, shards))
        assert [len(order) for order in orders[-1]] == list(shards.values())
        assert sorted(path.name for path in folder.iterdir()) == list(shards)
    expected = {b"%d" % number: number % 3 + 1 for number in range(60)}
    for order in orders:
        assert Counter(identifier for shard in order for identifier in shard) == expected
    assert orders[0] == orders[1] != orders[2]
    # Neither in the order of the images within a file, nor copies one after the other.
    assert all(shard != sorted(shard, key=int) for shard in orders[0])


def test_the_description_is_written_last_and_not_twice(tmp_path):
    pseudo_folder.check(tmp_path, 512)
    (tmp_path / ".partial.00000000.pseudo.json").touch()
    pseudo_folder.describe(tmp_path, ("cat", "Löwe"), {"name": "t", "sha256": "0"}, {"threshold": 0.3}, {"x": 3})
    assert json.loads((tmp_path / "pseudo.json").read_text(encoding="utf-8")) == {
        "format": 1,
        "classes": ["cat", "Löwe"],
        "teacher": {"name": "t", "sha256": "0"},
        "selection": {"threshold": 0.3},
        "shards": {"x": 3},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["pseudo.json"]
    with pytest.raises(UserError, match=r"has a pseudo\.json already"):
        pseudo_folder.check(tmp_path, 1)


def test_what_cannot_be_written_is_a_line(tmp_path):
    with pytest.raises(UserError, match="--shards must be 1 to 512, got 513"):
        pseudo_folder.check(tmp_path, 513)
    with pytest.raises(UserError, match="too few records to fill 4 files: 3;"):
        pseudo_folder.write(tmp_path, [], 3, 4, 0)
    with little_room(), pytest.raises(UserError, match="cannot write to"):
        pseudo_folder.write(tmp_path, iter(EXAMPLES), TOTAL, 1, 0)
    assert list(tmp_path.iterdir()) == []
