"""Objects as COCO's JSON files describe them (`instances_*.json`), with a folder of the pictures.

The format: https://cocodataset.org/#format-data, "Object Detection". What is no such file ends in one line. Of a file
that is one, single entries that cannot be used are left out and counted.
"""

import os
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import tensorflow as tf

from lambda_keras.zoo.data.files.class_names import check_name
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.data.splits import RandomAccessSplit
from lambda_keras.zoo.detection.data import masks
from lambda_keras.zoo.detection.data.json_file import field, is_kind, read_json
from lambda_keras.zoo.detection.data.parts import BOXES_ALONE, Annotations, Category, Part, Report
from lambda_keras.zoo.errors import UserError, shown

# Why something is left out.
NO_FILE = "pictures whose file is missing"
UNKNOWN_PICTURE = "annotations of a picture that the file does not list"
UNKNOWN_CATEGORY = "annotations of a category that the file does not list"
DEGENERATE = "boxes without an area"
OUTSIDE = "boxes outside of their picture"
NO_MASK = "objects without a usable mask"
REASONS = (NO_FILE, UNKNOWN_PICTURE, UNKNOWN_CATEGORY, DEGENERATE, OUTSIDE, NO_MASK)
# Of a coordinate; a number beyond is no pixel.
_FARTHEST = 1e9


class PictureSplit(RandomAccessSplit):
    """Pictures in files, and the objects of all of them in a few arrays.

    Args:
        paths: The files.
        annotations: An `Annotations` of arrays: of each picture a row of `image_id` and `size`, of all objects,
            picture after picture, a row of the others.
        ends: Integers `[pictures]`: where the objects of each picture end.
    """

    def __init__(self, paths, annotations, ends):
        super().__init__(len(paths))
        with tf.device("CPU"):
            self._paths = tf.constant([os.fsencode(path) for path in paths])
            # Bytes are objects to NumPy.
            types = (tf.string if column.dtype == object else column.dtype for column in annotations)
            self._annotations = Annotations(*map(tf.constant, annotations, types))
            self._ends = tf.constant([0, *ends], tf.int64)

    def _read(self, item):
        image_id, size, *objects = self._annotations
        start, end = self._ends[item], self._ends[item + 1]
        annotations = Annotations(image_id[item], size[item], *(column[start:end] for column in objects))
        return tf.io.read_file(self._paths[item]), annotations


def load(annotation_file: str | os.PathLike, image_folder: str | os.PathLike, with_masks: bool) -> Part:
    """Reads a file of objects and finds its pictures.

    Boxes that reach out of their picture stay as they are; training cuts them at its edge. Pictures without objects
    stay, as in tf-models-official's `create_coco_tf_record`. An object without an area has that of its box.

    Args:
        annotation_file: The JSON file, of at most `lambda_keras.zoo.detection.data.json_file.LARGEST_JSON` bytes. Of
            120,000 pictures with masks it takes some ten minutes and some GB, whenever a command reads it;
            `lambda_keras.zoo.detection.data.shards` is for that.
        image_folder: The folder that its `file_name` count from.
        with_masks: Whether to read masks too; objects without one are left out then.

    Returns:
        A `lambda_keras.zoo.detection.data.parts.Part`.

    Raises:
        UserError: There is no such file or folder, it is no COCO file of objects, none of its pictures is in the
            folder, or no object has a mask.
    """
    content = read_json(annotation_file)
    columns = [field(content, name, list, str(annotation_file)) for name in ("images", "annotations", "categories")]
    if not os.path.isdir(image_folder):
        raise UserError(f"no folder {image_folder}; give the folder of the pictures of {annotation_file}")
    images, annotations, categories = columns
    categories = _categories(categories, annotation_file)
    skipped = Counter(dict.fromkeys(REASONS, 0))
    listed, pictures = _pictures(images, Path(image_folder), annotation_file, skipped)
    objects = _objects(annotations, listed, pictures, categories, with_masks, annotation_file, skipped)
    split = _split(pictures, objects)
    counts = [len(rows) for rows in objects.values()]
    crowds = sum(row[2] for rows in objects.values() for row in rows)
    most_objects = max(sum(not row[2] for row in rows) for rows in objects.values())
    report = Report(len(pictures), counts.count(0), sum(counts), crowds, dict(skipped), most_objects)
    return Part(split, categories, with_masks, report, _licences(content))


def _licences(content):
    """The names of the file's licences, which nothing depends on: what has none is passed over."""
    entries = content.get("licenses")
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def _categories(entries, file):
    categories = []
    for number, entry in enumerate(entries):
        where = f"{file}: categories[{number}]"
        category = Category(field(entry, "id", int, where), field(entry, "name", str, where))
        check_name(category.name, where)
        categories.append(category)
    for kind in ("id", "name"):
        values = Counter(getattr(category, kind) for category in categories)
        if twice := [value for value, count in values.items() if count > 1]:
            raise UserError(f"{file}: two categories have the {kind} {shown(twice[0])}")
    if not categories:
        raise UserError(f"{file} has no categories; it must list those of its objects")
    return tuple(sorted(categories))


def _pictures(entries, folder, file, skipped):
    """The ids of all pictures, and `{id: (path, height, width)}` of those whose file is there."""
    listed, pictures = set(), {}
    for number, entry in enumerate(entries):
        where = f"{file}: images[{number}]"
        image_id, name = field(entry, "id", int, where), field(entry, "file_name", str, where)
        height, width = (field(entry, side, int, where) for side in ("height", "width"))
        if not (-(2**63) <= image_id < 2**63) or image_id in listed:
            raise UserError(f"{where}: id must be another whole number for each picture, got {shown(image_id)}")
        if height < 1 or width < 1 or height * width > MOST_PIXELS:
            raise UserError(f"{where}: a picture has 1 to {MOST_PIXELS:,} pixels, got {shown(f'{width}x{height}')}")
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise UserError(f"{where}: file_name must be a path inside the folder of pictures, got {shown(name)}")
        listed.add(image_id)
        if (folder / path).is_file():
            pictures[image_id] = (folder / path, height, width)
        else:
            skipped[NO_FILE] += 1
    if not pictures:
        raise UserError(f"none of the {len(entries):,} pictures of {file} is in {folder}; give their folder")
    return listed, pictures


def _objects(entries, listed, pictures, categories, with_masks, file, skipped):
    """`{id of a picture: [(box, class, is crowd, area, crop, counts) of an object]}`."""
    classes = {category.id: number for number, category in enumerate(categories, 1)}
    objects: dict[int, list[tuple]] = {image_id: [] for image_id in pictures}
    has_segmentation = False
    for number, entry in enumerate(entries):
        where = f"{file}: annotations[{number}]"
        image_id, box = field(entry, "image_id", int, where), field(entry, "bbox", list, where)
        category_id, is_crowd = field(entry, "category_id", int, where), entry.get("iscrowd", 0)
        if len(box) != 4 or not all(is_kind(value, float) for value in box):
            raise UserError(f"{where}: bbox must be four numbers, x, y, width and height, got {shown(box)}")
        if is_crowd not in (0, 1):
            raise UserError(f"{where}: iscrowd must be 0 or 1, got {shown(is_crowd)}")
        has_segmentation |= bool(entry.get("segmentation"))
        if image_id not in pictures:
            # Those of a picture without its file are left out with it.
            skipped[UNKNOWN_PICTURE] += image_id not in listed
            continue
        _, height, width = pictures[image_id]
        if reason := _why_not(box, height, width) if category_id in classes else UNKNOWN_CATEGORY:
            skipped[reason] += 1
            continue
        crop = counts = b""
        if with_masks:
            try:
                counts = masks.encode(entry.get("segmentation"), height, width)
            except ValueError:
                skipped[NO_MASK] += 1
                continue
            crop = b"" if is_crowd else masks.crop(counts, height, width, box)
        area = entry.get("area", box[2] * box[3])
        if not is_kind(area, float) or not 0 <= area < _FARTHEST:
            raise UserError(f"{where}: area must be a number of pixels, got {shown(area)}")
        objects[image_id].append((box, classes[category_id], bool(is_crowd), area, crop, counts))
    if with_masks and entries and not has_segmentation:
        raise UserError(f"{file} has boxes but no masks (segmentation); {BOXES_ALONE}")
    return objects


def _why_not(box, height, width):
    """Why a box is left out; `None` where it is not."""
    # Not a number compares as false.
    if not all(-_FARTHEST < value < _FARTHEST for value in box) or box[2] <= 0 or box[3] <= 0:
        return DEGENERATE
    x, y, box_width, box_height = box
    return OUTSIDE if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0 else None


def _split(pictures, objects):
    rows = [row for image_id in pictures for row in objects[image_id]]
    boxes, classes, is_crowd, areas, crops, counts = zip(*rows, strict=True) if rows else [()] * 6
    annotations = Annotations(
        image_id=np.array(list(pictures), "int64"),
        size=np.array([size for _, *size in pictures.values()], "int32"),
        coco_boxes=np.reshape(np.array(boxes, "float64"), [-1, 4]),
        classes=np.array(classes, "int32"),
        is_crowd=np.array(is_crowd, bool),
        areas=np.array(areas, "float64"),
        crops=np.array(crops, object),
        counts=np.array(counts, object),
    )
    ends = np.cumsum([len(objects[image_id]) for image_id in pictures])
    return PictureSplit([path for path, *_ in pictures.values()], annotations, ends)
