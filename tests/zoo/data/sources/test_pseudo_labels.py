import json

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.data.sources import digits, pseudo_labels
from lambda_keras.zoo.errors import UserError
from tests.zoo import pseudo_shards
from tests.zoo.pseudo_shards import CLASSES


@pytest.fixture
def folder(tmp_path):
    return pseudo_shards.write(tmp_path / "selected", count=20)[0]


def test_images_and_the_shares_of_all_classes(folder):
    read = pseudo_labels.load(folder, CLASSES)
    assert (read.teacher, read.split.count) == ("a teacher", 20)
    rows = list(read.split.ordered())
    images, labels = (column[-20:] for column in digits.load_arrays())
    # The shards have every third image.
    order = [number for shard in range(3) for number in range(shard, 20, 3)]
    for (encoded, target), number in zip(rows, order, strict=True):
        np.testing.assert_array_equal(tf.io.decode_png(encoded), images[number])
        expected = np.full(10, 0.1 / 8)
        expected[labels[number]], expected[(labels[number] + 1) % 10] = 0.6, 0.3
        np.testing.assert_allclose(target, expected, rtol=1e-6)
    assert read.split.ordered().element_spec[1] == tf.TensorSpec([10], tf.float32)


@pytest.mark.parametrize(
    ("classes", "probabilities", "rest", "expected"),
    [
        ([1, 0, 2], [0.5, 0.3, 0.2], 0.0, [0.3, 0.5, 0.2]),
        ([], [], 1.0, [1 / 3] * 3),
        ([2], [0.5], 0.5, [0.25, 0.25, 0.5]),
    ],
)
def test_shares(classes, probabilities, rest, expected):
    found = pseudo_labels.shares(np.array(classes, "int64"), np.float32(probabilities), np.float32(rest), 3)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_another_selection_is_another_input(folder, tmp_path):
    one = pseudo_labels.load(folder, CLASSES).described()
    assert one == pseudo_labels.load(folder, CLASSES).described()
    assert one["pseudo_label_order"] == "16 streams of records"
    other = pseudo_shards.write(tmp_path / "other", count=21)[0]
    assert pseudo_labels.load(other, CLASSES).described()["pseudo_labels"] != one["pseudo_labels"]


def change(folder, **values):
    path = folder / pseudo_labels.INDEX
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"format": 2}, r"pseudo\.json is not as it was written: format Input should be 1"),
        ({"shards": {}}, "is not as it was written: shards "),
        ({"shards": {"selected-00000-of-00003.tfrecord": -1}}, r"shards\.selected-00000-of-00003\.tfrecord"),
        ({"shards": {"selected-00000-of-00003.tfrecord": 0}}, "has no images; select anew"),
        ({"shards": {"gone.tfrecord": 3}}, "has no shard 'gone.tfrecord', which its pseudo.json names"),
        ({"shards": {"../selected/selected-00000-of-00003.tfrecord": 3}}, "has no shard '../selected"),
        ({"classes": [*CLASSES[:9], "nine"]}, "class 9 is 'nine' there and '9' here"),
        ({"classes": [*CLASSES, "10"]}, "class 10 is '10' there and None here"),
        ({"classes": CLASSES[:9]}, "class 9 is None there and '9' here"),
    ],
)
def test_a_folder_that_does_not_fit(folder, values, expected):
    change(folder, **values)
    with pytest.raises(UserError, match=expected) as caught:
        pseudo_labels.load(folder, CLASSES)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_whole(tmp_path):
    with pytest.raises(UserError, match=r"has no pseudo\.json; give what `lambda-zoo pseudo-label select` wrote"):
        pseudo_labels.load(tmp_path, CLASSES)
    (tmp_path / "pseudo.json").write_text("{")
    with pytest.raises(UserError, match="is not as it was written"):
        pseudo_labels.load(tmp_path, CLASSES)
