"""COCO from TensorFlow Datasets: `coco/2017` and `coco/2014`, which have boxes and no masks."""

import tensorflow as tf

from lambda_keras.zoo.data.images.image_header import read_header
from lambda_keras.zoo.data.sources.tfds import builder_of, files_of
from lambda_keras.zoo.data.splits import RecordSplit
from lambda_keras.zoo.detection.data.parts import BOXES_ALONE, Annotations, Category, Part
from lambda_keras.zoo.errors import UserError

NAMES = ("coco/2014", "coco/2017")
# COCO numbers 80 categories from 1 to 90; TensorFlow Datasets numbers them without the gaps.
_GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
CATEGORY_IDS = tuple(number for number in range(1, 91) if number not in _GAPS)


def load(name: str, expression: str, with_masks: bool, data_dir: str | None = None) -> Part:
    """Loads a part of COCO.

    Args:
        name: `coco/2017` or `coco/2014`, with a version or without.
        expression: Which part: a split expression of TensorFlow Datasets, such as `train` or `validation[:10%]`.
        with_masks: Whether masks are needed.
        data_dir: Folder of prepared data; by default TensorFlow Datasets' own, into which COCO is downloaded.

    Returns:
        A `lambda_keras.zoo.detection.data.parts.Part`.

    Raises:
        UserError: It is another dataset, masks are needed, the data are neither prepared nor available, or the part
            has no pictures with objects.
    """
    if name.partition(":")[0] not in NAMES:
        raise UserError(f"of TensorFlow Datasets, detection takes {' and '.join(NAMES)}, got {name!r}")
    if with_masks:
        raise UserError(
            f"TensorFlow Datasets' {name} has boxes but no masks: {BOXES_ALONE}; or give COCO's own instances_*.json "
            "with its folder of images"
        )
    builder = builder_of(name, data_dir)
    files = files_of(builder, expression)
    names = builder.info.features["objects"].feature["label"].names
    categories = tuple(map(Category, CATEGORY_IDS, names))
    return Part(RecordSplit(files, _parser(builder)), categories, False, None)


def _parser(builder):
    import tensorflow_datasets as tfds

    wanted = {"image": True, "image/id": True, "objects": {"area", "bbox", "is_crowd", "label"}}
    features = tfds.decode.PartialDecoding(wanted).extract_features(builder.info.features)
    decoders = {"image": tfds.decode.SkipDecoding()}

    def parse(serialised):
        example = features.deserialize_example(serialised, decoders=decoders)
        header, objects = read_header(example["image"]), example["objects"]
        size = tf.cast(tf.stack([header.height, header.width]), tf.int32)
        # Shares of height and width.
        ymin, xmin, ymax, xmax = tf.unstack(tf.cast(objects["bbox"], tf.float64), axis=-1)
        shares = tf.stack([xmin, ymin, xmax - xmin, ymax - ymin], axis=-1)
        no_masks = tf.fill(tf.shape(objects["label"]), "")
        return example["image"], Annotations(
            image_id=example["image/id"],
            size=size,
            coco_boxes=shares * tf.cast(tf.tile(size[::-1], [2]), tf.float64),
            classes=tf.cast(objects["label"], tf.int32) + 1,
            is_crowd=objects["is_crowd"],
            areas=tf.cast(objects["area"], tf.float64),
            crops=no_masks,
            counts=no_masks,
        )

    return parse
