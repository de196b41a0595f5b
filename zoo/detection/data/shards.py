"""TFRecord files of pictures and their objects: a folder that is read from its beginning, however large it is.

A folder has `pictures-00000-of-00032.tfrecord` and so on, and `index.json`, which is written last: without it nothing
in the folder counts. Each record is a `tf.train.Example` with the bytes of a picture's file and all its
`lambda_keras.zoo.detection.data.parts.Annotations`.
"""

import itertools
import json
import os
from pathlib import Path

import tensorflow as tf

from lambda_keras.atomic import replacing
from lambda_keras.zoo.data.files.class_names import check_name
from lambda_keras.zoo.data.images.requirement import require
from lambda_keras.zoo.data.splits import RecordSplit
from lambda_keras.zoo.detection.data.json_file import field, is_kind, read_json
from lambda_keras.zoo.detection.data.parts import BOXES_ALONE, Annotations, Category, Part, Report
from lambda_keras.zoo.errors import UserError, writing_by_tensorflow, writing_to

INDEX = "index.json"
MOST_SHARDS = 100_000
_FORMAT = "lambda-keras detection shards 1"
_LARGEST_INDEX = 10**8
# How an `Annotations` is stored: numbers as bytes, so that none of them is rounded.
_NUMBERS = {
    "image_id": (tf.int64, []),
    "size": (tf.int32, [2]),
    "coco_boxes": (tf.float64, [-1, 4]),
    "classes": (tf.int32, [-1]),
    "is_crowd": (tf.uint8, [-1]),
    "areas": (tf.float64, [-1]),
}
_TEXTS = ("crops", "counts")
# What stands before it in `Annotations` is of the picture.
_FIRST_OF_OBJECTS = Annotations._fields.index("coco_boxes")


def write(part: Part, folder: str | os.PathLike, num_shards: int) -> None:
    """Writes a part as TFRecord files. Each is whole, or not there by its name.

    Args:
        part: A `lambda_keras.zoo.detection.data.parts.Part`.
        folder: Where to; made if it is not there.
        num_shards: How many files; several times as many as workers will read them.

    Raises:
        UserError: The folder has an index already, there are fewer pictures than files, or it cannot be written.
    """
    folder = Path(folder)
    if (folder / INDEX).exists():
        raise UserError(f"{folder} has an {INDEX} already; give another folder")
    count = part.split.count
    if not 1 <= num_shards <= min(count, MOST_SHARDS):
        raise UserError(
            f"the number of shards must be 1 to {min(count, MOST_SHARDS):,} (pictures: {count:,}), got {num_shards:,}; "
            "ask for fewer"
        )
    ends = [count * shard // num_shards for shard in range(num_shards + 1)]
    pictures = part.split.ordered().as_numpy_iterator()
    shards = []
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for shard, (start, end) in enumerate(itertools.pairwise(ends)):
            path = folder / f"pictures-{shard:05}-of-{num_shards:05}.tfrecord"
            _write_shard(path, itertools.islice(pictures, end - start))
            shards.append({"file": path.name, "pictures": end - start, "bytes": path.stat().st_size})
        index = {
            "format": _FORMAT,
            "pictures": count,
            "has_masks": part.has_masks,
            "categories": [category._asdict() for category in part.categories],
            "report": part.report and part.report._asdict(),
            "licences": part.licences,
            "shards": shards,
        }
        with replacing(folder / INDEX) as partial:
            partial.write_text(json.dumps(index, indent=1), encoding="utf-8")


def load(folder: str | os.PathLike, with_masks: bool) -> Part:
    """Reads what `write` has written.

    Args:
        folder: The folder.
        with_masks: Whether masks are needed.

    Returns:
        A `lambda_keras.zoo.detection.data.parts.Part`.

    Raises:
        UserError: It is no such folder, a file is missing or was cut off, or masks are needed and there are none.
    """
    path = Path(folder, INDEX)
    if not path.is_file():
        raise UserError(f"{folder} has no {INDEX}; give a folder of shards that was written to its end")
    index = read_json(path, _LARGEST_INDEX)
    if not isinstance(index, dict) or index.get("format") != _FORMAT:
        raise UserError(f"{path} is not the index of a folder of shards; write the shards anew")
    if with_masks and index.get("has_masks") is not True:
        raise UserError(f"the pictures in {folder} have no masks; {BOXES_ALONE}")
    categories = tuple(_category(entry, str(path)) for entry in field(index, "categories", list, str(path)))
    files = [_file(Path(folder), entry, str(path)) for entry in field(index, "shards", list, str(path))]
    if not files or not categories:
        raise UserError(f"{path} names no shards or no categories; write the shards anew")
    try:
        report = index["report"] and _report(**index["report"])
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path} has no report as it was written; write the shards anew") from error
    # Shards of earlier versions have none.
    licences = tuple(map(str, field({"licences": [], **index}, "licences", list, str(path))))
    return Part(RecordSplit(files, _parse), categories, with_masks, report, licences)


def _write_shard(path, pictures):
    # TensorFlow reads the pictures here too; its message names the one that fails.
    with writing_by_tensorflow(path), replacing(path) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
        for encoded, annotations in pictures:
            writer.write(_example(encoded, annotations).SerializeToString())


def _category(entry, where):
    category = Category(field(entry, "id", int, where), field(entry, "name", str, where))
    check_name(category.name, where)
    return category


def _report(**values):
    report = Report(**values)
    # Shards of earlier versions do not have the last.
    counts = [*report[:4], *report.skipped.values(), report.most_objects or 0]
    if not all(is_kind(count, int) for count in counts):
        raise TypeError("a report has whole numbers")
    return report


def _file(folder, entry, where):
    name, count = field(entry, "file", str, where), field(entry, "pictures", int, where)
    path = folder / name
    if Path(name).name != name or count < 1:
        raise UserError(f"{where}: a shard is a file beside it with at least one picture, got {name!r} with {count}")
    if not path.is_file() or path.stat().st_size != field(entry, "bytes", int, where):
        raise UserError(f"{path} is missing or not as long as it was written; write the shards anew")
    return str(path), 0, count


def _example(encoded, annotations):
    columns = {"image": [encoded]}
    for name, (dtype, _) in _NUMBERS.items():
        column = getattr(annotations, name).astype(dtype.as_numpy_dtype)
        columns[name] = [column.astype(column.dtype.newbyteorder("<")).tobytes()]
    columns |= {name: list(getattr(annotations, name)) for name in _TEXTS}
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values)) for name, values in columns.items()}
    return tf.train.Example(features=tf.train.Features(feature=features))


def _parse(serialised):
    one = tf.io.FixedLenFeature([], tf.string)
    several = tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)
    features = {"image": one, **dict.fromkeys(_NUMBERS, one), **dict.fromkeys(_TEXTS, several)}
    example = tf.io.parse_single_example(serialised, features)
    numbers = {
        name: tf.reshape(tf.io.decode_raw(example[name], dtype), shape) for name, (dtype, shape) in _NUMBERS.items()
    }
    numbers["is_crowd"] = tf.cast(numbers["is_crowd"], tf.bool)
    annotations = Annotations(**numbers, **{name: example[name] for name in _TEXTS})
    # Shards may be anybody's.
    objects = [tf.shape(column)[0] for column in annotations[_FIRST_OF_OBJECTS:]]
    message = "a picture of the shards has more of some columns of its objects than of others; write the shards anew"
    with tf.control_dependencies([require((tf.reduce_all(tf.equal(objects, objects[0])), message))]):
        return tf.identity(example["image"]), tf.nest.map_structure(tf.identity, annotations)
