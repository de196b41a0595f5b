"""Image classification datasets of TensorFlow Datasets, by name and split expression."""

import difflib
import typing
from collections.abc import Callable, Sequence
from pathlib import Path

from lambda_keras.wildcards import WILDCARDS, has_wildcards
from lambda_keras.zoo.command_line import narrate
from lambda_keras.zoo.data.record_streams import STREAMS
from lambda_keras.zoo.data.splits import RecordSplit
from lambda_keras.zoo.errors import UserError

if typing.TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from lambda_keras.zoo.recipe import Data

CHANNELS = (1, 3, 4)


def find_builder(
    name: str, data_dir: str | Path | None = None, other_names: Sequence[str] = ()
) -> "tfds.core.DatasetBuilder":
    """Returns the builder of a dataset, whether it is prepared or not.

    Args:
        name: Name in TensorFlow Datasets, such as `imagenet2012` or `cats_vs_dogs:4.0.1`.
        data_dir: Folder of prepared data; by default TensorFlow Datasets' own.
        other_names: Names that could have been meant besides those of TensorFlow Datasets.

    Raises:
        UserError: There is no such dataset, or the path of the folder has wildcards.
    """
    import tensorflow_datasets as tfds

    if data_dir is not None and has_wildcards(data_dir):
        raise UserError(
            f"--data-dir {data_dir}: TensorFlow Datasets reads {' '.join(WILDCARDS)} in a path as wildcards; give a "
            "folder without them"
        )
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise UserError(_unknown(name, other_names)) from error
    except (AssertionError, ImportError, ValueError) as error:  # A version, configuration or name that cannot be.
        raise UserError(f"no dataset {name!r} in TensorFlow Datasets: {str(error).splitlines()[0]}") from error


def builder_of(
    name: str, data_dir: str | Path | None = None, other_names: Sequence[str] = ()
) -> "tfds.core.DatasetBuilder":
    """Returns the builder of a dataset that is prepared, after a download where that is allowed.

    Args:
        name: Name in TensorFlow Datasets, such as `imagenet2012` or `cats_vs_dogs:4.0.1`.
        data_dir: Folder of prepared data; nothing is downloaded into it. By default TensorFlow Datasets' own
            folder, into which the dataset is downloaded where it is missing.
        other_names: As for `find_builder`.

    Raises:
        UserError: There is no such dataset, or it is neither prepared nor available.
    """
    builder = find_builder(name, data_dir, other_names)
    if not builder.is_prepared():
        if data_dir is not None:
            raise UserError(
                f"no prepared dataset {name!r} in {data_dir} (looked for {builder.data_dir}); give the folder that "
                f"holds {builder.name}/ with --data-dir, or leave --data-dir out to download it"
            )
        _download(builder)
    return builder


def splits_of(builder: "tfds.core.DatasetBuilder", data: "Data") -> tuple[RecordSplit, RecordSplit, RecordSplit]:
    """Returns the three parts of a dataset.

    Args:
        builder: From `builder_of`.
        data: The recipe's `lambda_keras.zoo.recipe.Data`, for the split expressions, `validation_fraction` and
            `streams`.

    Returns:
        Three `lambda_keras.zoo.data.splits.RecordSplit`: training, validation, test. By default the training part is
        the beginning of `train` and the validation part its end.

    Raises:
        UserError: The dataset has no such split, an image of the training part is in another part, the dataset
            does not classify images, or its files are no TFRecord files.
    """
    parse = _parser(builder)
    sizes = {name: split.num_examples for name, split in builder.info.splits.items()}
    parts = [files_of(builder, expression) for expression in _expressions(builder.name, sizes, data)]
    _check_overlap(builder.name, parts)
    train, validation, test = parts
    return RecordSplit(train, parse, data.streams or STREAMS), RecordSplit(validation, parse), RecordSplit(test, parse)


def classes_of(builder: "tfds.core.DatasetBuilder") -> tuple[str, ...]:
    """Returns the class names of a dataset as a tuple, in the order of the labels."""
    return tuple(builder.info.features[_keys(builder)[1]].names)


def channels_of(builder: "tfds.core.DatasetBuilder") -> int:
    """Returns the number of channels of a dataset's images."""
    return builder.info.features[_keys(builder)[0]].shape[-1]


def image_parser(builder: "tfds.core.DatasetBuilder") -> Callable[["tf.Tensor"], "tf.Tensor"]:
    """Returns a function that takes the file of the image, a scalar string, out of a serialised example.

    Args:
        builder: From `builder_of`. Its images need no labels.

    Raises:
        UserError: The dataset has no 8-bit image.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    key = (builder.info.supervised_keys or ("image",))[0]
    if key not in features or not _is_image(features[key]):
        raise UserError(f"dataset {builder.name!r} has no 8-bit image; its features are {', '.join(sorted(features))}")
    only = tfds.decode.PartialDecoding({key: True}).extract_features(features)
    return lambda serialised: only.deserialize_example(serialised, decoders={key: tfds.decode.SkipDecoding()})[key]


def _is_image(feature):
    import tensorflow_datasets as tfds

    return type(feature) is tfds.features.Image and feature.tf_dtype == "uint8" and feature.shape[-1] in CHANNELS


def _keys(builder):
    """Returns the names of the image and of the label among the dataset's features."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    keys = builder.info.supervised_keys or ("image", "label")
    if len(keys) == 2 and all(isinstance(key, str) and key in features for key in keys):
        image, label = (features[key] for key in keys)
        if _is_image(image) and type(label) is tfds.features.ClassLabel:
            return keys
    raise UserError(
        f"dataset {builder.name!r} does not classify images: it needs an 8-bit image of "
        f"{', '.join(map(str, CHANNELS))} channels and a class label, its features are {', '.join(sorted(features))}"
    )


def _parser(builder):
    import tensorflow_datasets as tfds

    image, label = _keys(builder)
    features = tfds.decode.PartialDecoding({image: True, label: True}).extract_features(builder.info.features)
    decoders = {image: tfds.decode.SkipDecoding()}

    def parse(serialised):
        example = features.deserialize_example(serialised, decoders=decoders)
        return example[image], example[label]

    return parse


def ranges_of(name: str, sizes: dict[str, int], data: "Data") -> list[list[tuple[str, int, int]]]:
    """Returns the parts of a dataset of another source, chosen by split expressions all the same.

    Args:
        name: Of the dataset.
        sizes: Images of each of its splits.
        data: The recipe's `lambda_keras.zoo.recipe.Data`.

    Returns:
        For each part, training, validation and test, ranges `(split, skip, take)`.

    Raises:
        UserError: The dataset has no such split, or an image of the training part is in another part.
    """
    import tensorflow_datasets as tfds

    splits = {
        split: tfds.core.SplitInfo(name=split, shard_lengths=[size], num_bytes=0) for split, size in sizes.items()
    }
    parts = []
    for expression in _expressions(name, sizes, data):
        try:
            instructions = tfds.core.ReadInstruction.from_spec(expression).to_absolute(splits)
        except (AssertionError, KeyError, NotImplementedError, ValueError) as error:
            raise _no_part(name, expression, sizes, error) from error
        parts.append([_range(part, sizes) for part in instructions])
    _check_overlap(name, parts)
    return parts


def _range(part, sizes):
    """The range of an instruction of TensorFlow Datasets, which leaves the beginning and the end of a split out."""
    start, end = part.from_ or 0, sizes[part.splitname] if part.to is None else part.to
    return part.splitname, start, max(end - start, 0)


def _expressions(name, sizes, data):
    """Returns the split expressions of training, validation and test."""
    train, validation, test = data.train, data.validation, data.test
    if test is None:
        test = next((name for name in ("test", "validation") if name in sizes), None)
    if train is None and "train" in sizes:
        boundary = round(sizes["train"] * (1 - data.validation_fraction))
        train, validation = f"train[:{boundary}]", f"train[{boundary}:]"
    if train is None or test is None:
        raise UserError(
            f"dataset {name!r} has the splits {', '.join(sizes)}; say which to use, such as "
            "data.train=train[:80%] data.validation=train[80%:90%] data.test=train[90%:]"
        )
    return train, validation, test


def files_of(builder: "tfds.core.DatasetBuilder", expression: str) -> list[tuple[str, int, int]]:
    """Returns the files of a split expression.

    Args:
        builder: From `builder_of`.
        expression: Such as `train[20shard:]`.

    Returns:
        For each file `(path, skip, take)`, as `lambda_keras.zoo.data.splits.RecordSplit` takes them.

    Raises:
        UserError: The dataset has no such split, or no images in it, or its files are no TFRecord files.
    """
    import tensorflow_datasets as tfds

    if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
        raise UserError(
            f"dataset {builder.name!r} in {builder.data_dir} is stored as {builder.info.file_format.value}; prepare it "
            "with file_format='tfrecord'"
        )
    try:
        instructions = builder.info.splits[expression].file_instructions
    except (AssertionError, KeyError, NotImplementedError, ValueError) as error:
        raise _no_part(builder.name, expression, builder.info.splits, error) from error
    if not instructions:
        raise UserError(f"dataset {builder.name!r}: {expression!r} has no images")
    return [(instruction.filename, instruction.skip, instruction.take) for instruction in instructions]


def _no_part(name, expression, splits, error):
    return UserError(
        f"dataset {name!r}: {expression!r} is not a part of it: {str(error).splitlines()[0]}; its splits are "
        f"{', '.join(splits)}, an expression is such as train[20shard:] or train[:80%]"
    )


def _check_overlap(name, parts):
    train, validation, test = parts
    for part, files in (("validation", validation), ("test", test)):
        if _overlap(train, files):
            raise UserError(f"dataset {name!r}: images of data.train are in data.{part} too; choose other parts")


def _overlap(files, other_files):
    others: dict[str, list[tuple[int, int]]] = {}
    for path, skip, take in other_files:
        others.setdefault(path, []).append((skip, skip + take))
    return any(
        skip < other_end and other_start < skip + take
        for path, skip, take in files
        for other_start, other_end in others.get(path, [])
    )


def _unknown(name, other_names):
    import tensorflow_datasets as tfds

    names = [*other_names, *tfds.list_builders(with_community_datasets=False)]
    nearest = difflib.get_close_matches(name.partition(":")[0], names)
    hint = f"; did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
    return (
        f"unknown dataset {name!r}{hint} (known: {', '.join(other_names)}, and TensorFlow Datasets, see "
        "https://www.tensorflow.org/datasets/catalog)"
    )


def _download(builder):
    import tensorflow_datasets as tfds

    narrate(f"Downloading {builder.name} to {builder.data_dir}")
    try:
        builder.download_and_prepare()
    except (AssertionError, OSError, tfds.download.DownloadError) as error:  # AssertionError: a manual download.
        raise UserError(
            f"cannot download dataset {builder.name!r} to {builder.data_dir} ({type(error).__name__}); prepare it on "
            f"a machine with a network (tfds.load({builder.name!r}, data_dir=FOLDER)) and give FOLDER with --data-dir"
        ) from error
