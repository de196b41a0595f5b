"""Images in a folder for each class, with the parts of the dataset as folders above or without.

Either `data_dir/<class>/<image>`, or `data_dir/train/<class>/<image>` with `test` and perhaps `validation` beside
`train`; `lambda_keras.zoo.data.files.parts` knows other names of these. Where there is no folder of a part, its images
are taken from the others: of each class the same share, and always the same images, because those are taken whose names
have the smallest hashes.
"""

import hashlib
import os
from pathlib import Path

from lambda_keras.zoo.data.files.image_files import ENDINGS, check_unpacked, is_image
from lambda_keras.zoo.data.files.parts import LAYOUT, folder_names, part_folders
from lambda_keras.zoo.data.splits import FileSplit
from lambda_keras.zoo.errors import UserError

TEST_FRACTION = 0.2


def load(data_dir: str | Path | None, validation_fraction: float) -> tuple[tuple[str, ...], tuple[FileSplit, ...]]:
    """Lists the images of a folder.

    Args:
        data_dir: The folder.
        validation_fraction: Share of the training part to hold back for validation, where there is no folder
            `validation`.

    Returns:
        The class names (the names of the folders, sorted), and three `lambda_keras.zoo.data.splits.FileSplit`:
        training, validation, test.

    Raises:
        UserError: There is no such folder, or it is not as described above.
    """
    if data_dir is None:
        raise UserError("data.name image_folder needs a folder of images; give --data-dir")
    check_unpacked(data_dir)
    if not os.path.isdir(data_dir):
        problem = f"{data_dir} is not a folder" if os.path.exists(data_dir) else f"no such folder: {data_dir}"
        raise UserError(f"{problem}; data.name image_folder needs a folder of images")
    data_dir = Path(data_dir)
    parts = part_folders(data_dir)
    if parts and "train" not in parts:
        raise UserError(f"{data_dir} has no folder train beside {', '.join(parts)}; the layout is {LAYOUT}")
    train = _classes(parts.get("train", data_dir))
    validation, test = (_classes(parts[part]) if part in parts else None for part in ("validation", "test"))
    class_names = tuple(train)
    if len(class_names) < 2:
        raise UserError(
            f"{data_dir} must have a folder of images for each of at least 2 classes, got {len(class_names)}; "
            f"the layout is {LAYOUT}"
        )
    if empty := [name for name in class_names if not train[name]]:
        raise UserError(f"class {empty[0]} has no images in {data_dir} (endings {', '.join(ENDINGS)})")
    for part in (validation, test):
        if part is not None and (unknown := set(part) - set(class_names)):
            raise UserError(f"class {min(unknown)} in {data_dir} is not among the classes of train")
    if test is None:
        train, test = _hold_out(train, TEST_FRACTION)
    if validation is None:
        train, validation = _hold_out(train, validation_fraction)
    return class_names, tuple(_split(part, class_names) for part in (train, validation, test))


def _classes(folder):
    """Returns `{class name: [path of an image]}`, both sorted."""
    return {name: _images(folder / name) for name in folder_names(folder)}


def _images(folder):
    entries = [entry for entry in os.scandir(folder) if is_image(entry.name)]
    if others := sorted(entry.path for entry in entries if not entry.is_file()):
        raise UserError(f"{others[0]} is not a file, or a link to a file that is not there")
    return sorted(folder / entry.name for entry in entries)


def _hold_out(classes, fraction):
    """Takes the share of each class out, and returns the rest and what was taken."""
    rest, held_out = {}, {}
    for name, images in classes.items():
        by_hash = sorted(images, key=lambda image: hashlib.sha256(os.fsencode(image.name)).digest())
        taken = set(by_hash[: round(len(images) * fraction)])
        held_out[name] = [image for image in images if image in taken]
        rest[name] = [image for image in images if image not in taken]
    return rest, held_out


def _split(classes, class_names):
    images = [(path, class_names.index(name)) for name, paths in classes.items() for path in paths]
    return FileSplit([path for path, _ in images], [label for _, label in images])
