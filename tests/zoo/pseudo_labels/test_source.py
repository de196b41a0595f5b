import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.pseudo_labels.images import stream
from lambda_keras.zoo.pseudo_labels.source import Place, find


def test_a_folder_has_all_pictures_in_it_whatever_the_folders_inside_are_called(pictures):
    images = find(Place(str(pictures)), images_per_shard=3)
    assert images.counts == [3, 3, 2]
    assert [image.id.decode() for image in stream(images)] == [
        *(f"inside/deeper/{number}.jpg" for number in (1, 3, 5)),
        *(f"outside/{number}.jpg" for number in (0, 2, 4, 6)),
        "outside/garbage.png",
    ]


@pytest.mark.parametrize("name", ["image", "image/encoded"])
def test_a_folder_of_records_has_a_shard_for_each_file(name, tmp_path, write_records):
    write_records(tmp_path / "b.tfrecord-00001-of-00002", [b"third"], name)
    write_records(tmp_path / "a.tfrecord-00000-of-00002", [b"first", b"second"], name)
    images = find(Place(str(tmp_path)))
    assert images.shards == ["a.tfrecord-00000-of-00002", "b.tfrecord-00001-of-00002"]
    assert [image.image for image in stream(images)] == [b"first", b"second", b"third"]


def test_datasets_have_the_names_and_splits_that_other_commands_know(tmp_path):
    images = find(Place("digits", split="test"), images_per_shard=200)
    assert images.counts == [200, 200, 50]
    found = next(stream(images))
    assert found.image.shape == (8, 8, 1)
    np.testing.assert_array_equal(found.image, digits.load(0.1).test.images[0])
    for path in (tmp_path / name / f"{number}.jpg" for name in ("cat", "dog") for number in range(10)):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{path}")
    found = list(stream(find(Place("image_folder", str(tmp_path), "test"))))
    assert [image.image.decode() for image in found] == [str(tmp_path / image.id.decode()) for image in found]
    assert len(found) == 4


def test_a_split_expression_of_idx_files(tmp_path):
    for name, pixels in (("train", range(5)), ("t10k", range(5, 7))):
        sizes = (len(pixels), 2, 2)
        header = b"".join(size.to_bytes(4, "big") for size in sizes)
        images = bytes(pixel for pixel in pixels for _ in range(4))
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + header + images)
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + header[:4] + bytes(pixels))
    labelled, rest = (find(Place("fashion_mnist", str(tmp_path), split)) for split in ("train[:3]", "train[3:]+test"))
    assert labelled.counts == [3]
    assert [image.image.max() for image in stream(rest)] == [3, 4, 5, 6]
    with pytest.raises(UserError, match=r"fashion_mnist has no images in train\[2:2\]"):
        find(Place("fashion_mnist", str(tmp_path), "train[2:2]"))
    with pytest.raises(UserError, match="'tset' is not a part of it"):
        find(Place("fashion_mnist", str(tmp_path), "tset"))


def test_a_dataset_of_tensorflow_datasets_needs_no_labels(tmp_path):
    class Unlabelled(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict({"image": tfds.features.Image()}))

        def _split_generators(self, dl_manager):
            return {"unlabelled": ((n, {"image": np.full((4, 4, 3), n, "uint8")}) for n in range(3))}

        def _generate_examples(self):
            raise NotImplementedError

    Unlabelled(data_dir=tmp_path).download_and_prepare()
    images = find(Place("unlabelled", str(tmp_path), "unlabelled"))
    assert images.counts == [3]
    assert sorted(tf.io.decode_png(image.image).numpy().max() for image in stream(images)) == [0, 1, 2]
    with pytest.raises(UserError, match=r"'train' is not a part of it.*its splits are unlabelled"):
        find(Place("unlabelled", str(tmp_path)))


def test_what_is_no_source_is_a_line(tmp_path, pictures, write_records):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"has neither image files .* nor files"):
        find(Place(str(tmp_path / "empty")))
    with pytest.raises(UserError, match="are for the name of a dataset"):
        find(Place(str(pictures), split="train"))
    with pytest.raises(UserError, match="the splits of digits are train, validation, test, got 'tset'"):
        find(Place("digits", split="tset"))
    with pytest.raises(UserError, match="there is no folder picturs, and as the name of a dataset: unknown dataset"):
        find(Place("picturs"))
    records = tmp_path / "records"
    records.mkdir()
    write_records(records / "a.tfrecord", [])
    with pytest.raises(UserError, match="have no records"):
        find(Place(str(records)))
    write_records(records / "a.tfrecord", [b"x"], "picture")
    with pytest.raises(UserError, match="have no image, a string under image or image/encoded"):
        find(Place(str(records)))
    with tf.io.TFRecordWriter(str(records / "a.tfrecord")) as writer:
        writer.write(b"\xff no message")
    with pytest.raises(UserError, match=r"are no tf\.train\.Example"):
        find(Place(str(records)))
    (records / "a.tfrecord").write_bytes(b"garbage, and more of it than a header has")
    with pytest.raises(UserError, match="cannot read"):
        find(Place(str(records)))
