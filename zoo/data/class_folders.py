"""`lambda-zoo write-images`: a dataset as a folder of PNG files for each class."""

from pathlib import Path

import tensorflow as tf

from lambda_keras.atomic import replacing
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.command_line import narrate, progress_bar
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.files.class_names import folder_name
from lambda_keras.zoo.data.files.parts import PARTS
from lambda_keras.zoo.data.images.decoding import decode
from lambda_keras.zoo.errors import UserError, writing_to


def write_images(name: str, out: str | Path, data_dir: str | Path | None = None) -> None:
    """Writes the images of a dataset, of all its parts together, to `out/<class>/<number>.png`.

    Args:
        name: A name of `lambda_keras.zoo.data.catalog.load`.
        out: The folder, which must not exist or be empty.
        data_dir: As for `lambda_keras.zoo.data.catalog.load`.

    Raises:
        UserError: The data are missing, or the folder has files or cannot be written.

    Example:
        >>> write_images("digits", "digits")  # doctest: +SKIP
        Wrote 1,797 images of 10 classes to digits
    """
    dataset = catalog.load(recipe_file.data_of_name(name, "--dataset"), data_dir)
    out = Path(out)
    folders = [out / folder_name(class_name) for class_name in dataset.class_names]
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise UserError(f"{out} is not empty; give a new folder with --out")
        for folder in folders:
            folder.mkdir()
        images = (image for part in PARTS for image in getattr(dataset, part).ordered().as_numpy_iterator())
        total = sum(getattr(dataset, part).count for part in PARTS)
        for number, (image, label) in enumerate(progress_bar(images, total=total, unit="image")):
            encoded = tf.io.encode_png(decode(image, dataset.channels)).numpy()
            with replacing(folders[label] / f"{number:05}.png") as partial:
                partial.write_bytes(encoded)
    narrate(f"Wrote {total:,} images of {len(folders):,} classes to {out}")
