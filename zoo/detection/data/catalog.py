"""What `--data` of a command means: a folder, a file, or a name of TensorFlow Datasets."""

import os
from pathlib import Path

from lambda_keras.zoo.detection.data import coco_json, shards, tfds
from lambda_keras.zoo.detection.data.parts import Part
from lambda_keras.zoo.errors import UserError

# Of the training and of the evaluation, and what TensorFlow Datasets calls them.
PARTS = {"train": "train", "val": "validation"}
_PREFIX = "instances_"


def load(
    data: str,
    part: str,
    with_masks: bool,
    images: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> Part:
    """Loads pictures with objects.

    Args:
        data: One of

            * a folder as COCO's or that of `lambda-zoo detect stamps`: `instances_<part>*.json`, in it or in its
              `annotations/`, with the pictures in the folder that has the rest of the file's name, such as `val2017`;
            * a folder of shards, or one with a folder of shards for each part;
            * a COCO file of objects, whose pictures are in `images`;
            * `coco/2014` or `coco/2017` of TensorFlow Datasets.
        part: `train` or `val`; a file and a folder of shards have one part only.
        with_masks: Whether masks are needed.
        images: The folder of the pictures of a COCO file; by default where COCO has it, else that of the file.
        data_dir: Folder of prepared data of TensorFlow Datasets; by default its own.

    Returns:
        A `lambda_keras.zoo.detection.data.parts.Part`.

    Raises:
        UserError: There are no such data, or they cannot be used.
    """
    if part not in PARTS:
        raise UserError(f"a part of the data is {' or '.join(PARTS)}, got {part!r}")
    folder = Path(data)
    if folder.is_file():
        return coco_json.load(folder, images or _pictures_of(folder), with_masks)
    if images is not None:
        raise UserError(f"--images is for a COCO file of objects, and {data} is none; leave it out")
    if not folder.is_dir():
        if data.partition(":")[0] in tfds.NAMES:
            return tfds.load(data, PARTS[part], with_masks, None if data_dir is None else str(data_dir))
        raise UserError(
            f"no data {data}; give a folder as COCO's, one of `lambda-zoo detect stamps` or of shards, a COCO file of "
            f"objects, or {' or '.join(tfds.NAMES)}"
        )
    for place in (folder, folder / part):
        if (place / shards.INDEX).is_file():
            return shards.load(place, with_masks)
    files = sorted(path for place in (folder, folder / "annotations") for path in place.glob(f"{_PREFIX}{part}*.json"))
    if len(files) != 1:
        found = f"{len(files)} files" if files else "no file"
        raise UserError(
            f"{folder} has {found} {_PREFIX}{part}*.json, in it or in annotations/, and no shards ({shards.INDEX}); "
            "give the COCO file itself, with --images for the folder of its pictures"
        )
    return coco_json.load(files[0], _pictures_of(files[0]), with_masks)


def load_for_training(data: str, with_masks: bool, data_dir: str | os.PathLike | None = None) -> tuple[Part, Part]:
    """Loads both parts of data.

    Args:
        data: As for `load`, but for what has one part only.
        with_masks: As for `load`.
        data_dir: As for `load`.

    Returns:
        The part to train on, and the one to evaluate with.

    Raises:
        UserError: There are no such data, they have one part only, they have other categories than each other, or they
            cannot be used.
    """
    if Path(data).is_file() or Path(data, shards.INDEX).is_file():
        raise UserError(
            f"{data} is one part of data; give a folder with a part to train on and one to evaluate with: "
            f"{_PREFIX}train.json, train/, {_PREFIX}val.json and val/, or shards in train/ and val/"
        )
    train, val = (load(data, part, with_masks, data_dir=data_dir) for part in PARTS)
    if train.categories != val.categories:
        raise UserError(f"the two parts of {data} have other categories; both files must list the same ones")
    return train, val


def _pictures_of(file):
    """Where COCO has the pictures of a file: `val2017/` beside the folder of `instances_val2017.json`, or beside it."""
    name = file.stem.removeprefix(_PREFIX)
    places = (file.parent / name, file.parent.parent / name)
    return next((place for place in places if place.is_dir()), file.parent)
