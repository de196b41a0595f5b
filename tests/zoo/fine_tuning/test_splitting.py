from collections import Counter
from pathlib import Path

import pytest

from lambda_keras.zoo.data.sources.image_table import Row
from lambda_keras.zoo.fine_tuning.file_check import Image
from lambda_keras.zoo.fine_tuning.splitting import split


def images(counts, part=None):
    """Images of classes `{name: count}`, each with other contents."""
    return [
        Image(Row(Path(f"{name}/{number}.png"), name, part), f"{name} {number} {part}".encode(), 1, 1)
        for name, count in counts.items()
        for number in range(count)
    ]


def parts(images, label):
    return dict(Counter(image.row.split for image in images if image.row.label == label))


def test_the_share_of_each_class():
    done = split(images({"a": 100, "b": 20}), seed=0)
    assert parts(done, "a") == {"train": 70, "validation": 15, "test": 15}
    assert parts(done, "b") == {"train": 14, "validation": 3, "test": 3}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, {"train": 1}),
        (2, {"train": 1, "test": 1}),
        (3, {"train": 1, "validation": 1, "test": 1}),
        (4, {"train": 2, "validation": 1, "test": 1}),
    ],
)
def test_few_images(count, expected):
    assert parts(split(images({"a": count}), seed=0), "a") == expected


def test_only_the_missing_part_is_taken_from_the_training_images():
    given = images({"a": 20}, "train") + images({"a": 7}, "test")
    done = split(given, seed=0)
    assert parts(done, "a") == {"train": 17, "validation": 3, "test": 7}
    assert [image for image in done if image.row.split == "test"] == given[20:]


def test_copies_go_together():
    once = images({"a": 10})
    again = [Image(Row(Path(f"copy {image.row.path}"), "a", None), image.digest, 1, 1) for image in once]
    done = split(once + again, seed=0)
    assert [image.row.split for image in done[:10]] == [image.row.split for image in done[10:]]


def test_the_seed_and_the_contents_decide_alone():
    given = images({"a": 50})
    first = {image.digest: image.row.split for image in split(given, seed=1)}
    renamed = [Image(Row(Path(str(number)), "a", None), image.digest, 1, 1) for number, image in enumerate(given[::-1])]
    assert {image.digest: image.row.split for image in split(renamed, seed=1)} == first
    assert {image.digest: image.row.split for image in split(given, seed=2)} != first
