import pytest
import tensorflow_datasets as tfds

from lambda_keras.zoo.data.catalog import SOURCES
from lambda_keras.zoo.data.sources.known_sizes import add_known_splits


@pytest.fixture
def imagenet(tmp_path):
    return tfds.builder("imagenet2012", data_dir=tmp_path)


def test_imagenet_with_the_papers_validation_split(imagenet):
    add_known_splits(imagenet, SOURCES["imagenet2012"].sizes)
    splits = imagenet.info.splits
    assert {name: (split.num_examples, split.num_shards) for name, split in splits.items()} == {
        "train": (1_281_167, 1024),
        "validation": (50_000, 64),
    }
    # 2 % of the training images, and no file differs from another by more than one image.
    assert splits["train[:20shard]"].num_examples == 25_023
    assert splits["train[20shard:]"].num_examples == 1_281_167 - 25_023
    assert set(splits["train"].shard_lengths) == {1251, 1252}


def test_a_dataset_that_is_prepared_keeps_its_splits(imagenet):
    add_known_splits(imagenet, SOURCES["imagenet2012"].sizes)
    imagenet.info.set_splits(tfds.core.splits.SplitDict([imagenet.info.splits["validation"]]))
    add_known_splits(imagenet, SOURCES["imagenet2012"].sizes)
    assert list(imagenet.info.splits) == ["validation"]


def test_an_unknown_size_stays_unknown(tmp_path):
    builder = tfds.builder("cats_vs_dogs", data_dir=tmp_path)
    add_known_splits(builder, {})
    assert not builder.info.splits
