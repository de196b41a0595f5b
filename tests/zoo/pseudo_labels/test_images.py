import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.pseudo_labels.images import ImageArray, ImageFiles, ImageRecords, among, starts, stream, where


def feature(serialised):
    return tf.io.parse_single_example(serialised, {"image": tf.io.FixedLenFeature([], tf.string)})["image"]


@pytest.fixture
def kinds(tmp_path, write_records):
    """Five images of each kind, in shards of two; of the records some are passed over."""
    values = [b"zero", b"one", b"two", b"three", b"four"]
    for name, value in zip("abcde", values, strict=True):
        (tmp_path / name).write_bytes(value)
    files = [write_records(tmp_path / f"{name}.tfrecord", values) for name in ("x", "y", "z")]
    records = ImageRecords(
        [(str(path), skip, take) for path, skip, take in zip(files, (0, 2, 4), (2, 2, 1), strict=True)], feature
    )
    array = np.arange(5, dtype="uint8").reshape(5, 1, 1, 1)
    return {
        "files": (ImageFiles(tmp_path, list("abcde"), 2), [b"a", b"b", b"c", b"d", b"e"], values),
        "array": (ImageArray(tf.constant(array), 2), [b"0", b"1", b"2", b"3", b"4"], [0, 1, 2, 3, 4]),
        "records": (
            records,
            [b"x.tfrecord__0", b"x.tfrecord__1", b"y.tfrecord__2", b"y.tfrecord__3", b"z.tfrecord__4"],
            values,
        ),
    }


@pytest.mark.parametrize("kind", ["files", "array", "records"])
def test_each_image_is_read_once_in_its_shard(kind, kinds):
    images, ids, values = kinds[kind]
    assert images.counts == [2, 2, 1]
    found = list(stream(images))
    assert [(image.shard, image.place) for image in found] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    assert [image.id for image in found] == ids
    assert [image.image if isinstance(image.image, bytes) else image.image.item() for image in found] == values
    mask = np.array([True, False, False, True, True])
    assert [image.id for image in stream(images, where(mask, images.counts))] == [ids[0], ids[3], ids[4]]
    assert [image.id for image in stream(images, among([1, 2], [1, 0]), [1])] == [ids[3]]


def test_a_hash_tells_images_and_their_shards_apart(tmp_path, kinds, write_records):
    hashes = [images.sha256 for images, _, _ in kinds.values()]
    assert ImageFiles(tmp_path / "elsewhere", list("abcde"), 2).sha256 == hashes[0]
    hashes += [ImageFiles(tmp_path, list("abcde"), 3).sha256, ImageFiles(tmp_path, ["ab", "c", "d", "e"], 2).sha256]
    hashes.append(ImageArray(tf.zeros((5, 1, 1, 1), "uint8"), 2).sha256)
    hashes.append(ImageRecords([(str(tmp_path / "x.tfrecord"), 0, None)], feature).sha256)
    write_records(tmp_path / "x.tfrecord", [b"longer than before"])
    hashes.append(ImageRecords([(str(tmp_path / "x.tfrecord"), 0, None)], feature).sha256)
    assert len(set(hashes)) == len(hashes)


def test_what_cannot_be_read_is_a_line(tmp_path, kinds):
    (tmp_path / "d").unlink()
    with pytest.raises(UserError, match=r"cannot read the images: .*/d; No such file or directory"):
        list(stream(kinds["files"][0]))
    content = (tmp_path / "y.tfrecord").read_bytes()
    (tmp_path / "y.tfrecord").write_bytes(content[:-3] + b"xxx")
    cut_off = ImageRecords([(str(tmp_path / "y.tfrecord"), 0, None)], feature)
    assert cut_off.counts is None
    with pytest.raises(UserError, match="cannot read the images: corrupted record"):
        list(stream(cut_off))


def test_starts():
    assert starts([2, 0, 3]).tolist() == [0, 2, 2, 5]
