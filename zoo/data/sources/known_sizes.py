"""Sizes of datasets that are prepared by hand or are large, to plan a training before they are there."""

import itertools
import typing

if typing.TYPE_CHECKING:
    import tensorflow_datasets as tfds


def add_known_splits(builder: "tfds.core.DatasetBuilder", sizes: dict[str, tuple[int, int]]) -> None:
    """Gives a builder its splits where it has none because its dataset is not prepared.

    Their files need not exist; only their counts are of use.

    Args:
        builder: A `tfds.core.DatasetBuilder`.
        sizes: `{split: (images, files)}`, as TensorFlow Datasets prepares it; empty where that is not known.

    Example:
        >>> builder = tensorflow_datasets.builder("imagenet2012", data_dir="nowhere")
        >>> add_known_splits(builder, {"train": (1_281_167, 1024)})
        >>> builder.info.splits["train[:20shard]"].num_examples
        25023
    """
    import tensorflow_datasets as tfds

    if builder.info.splits or not sizes:
        return
    splits = []
    for name, (images, files) in sizes.items():
        # Files of equal length, but for rounding.
        boundaries = [round(images * file / files) for file in range(files + 1)]
        template = tfds.core.ShardedFileTemplate(
            data_dir=builder.data_dir, dataset_name=builder.name, split=name, filetype_suffix="tfrecord"
        )
        lengths = [end - start for start, end in itertools.pairwise(boundaries)]
        splits.append(tfds.core.SplitInfo(name, shard_lengths=lengths, num_bytes=0, filename_template=template))
    builder.info.set_splits(tfds.core.splits.SplitDict(splits))
