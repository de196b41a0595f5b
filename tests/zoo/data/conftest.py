"""Folders of small image files, for the tests of reading and of the pipeline."""

import pytest

from lambda_keras.zoo.recipe import Data

CLASSES = ("cat", "dog", "owl")
# What damaged files look like: nothing in it, something else, a JPEG that was cut off, a PNG whose pixels are not.
DAMAGED = ("empty.jpg", "text.png", "cut_off.jpg", "broken.png")


@pytest.fixture(scope="session")
def image_folder(encode, photo, tmp_path_factory):
    """A folder with three classes of ten JPEGs, 48×64 pixels. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("images")
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for number in range(10):
            content = encode(photo(10 * label + number), "JPEG", quality=95)
            (folder / name / f"{number}.jpg").write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def damaged_folder(encode, photo, tmp_path_factory):
    """The same with two classes of six images, and four files in the first that cannot be read."""
    folder = tmp_path_factory.mktemp("damaged")
    for label, name in enumerate(CLASSES[:2]):
        (folder / name).mkdir()
        for number in range(6):
            (folder / name / f"{number}.jpg").write_bytes(encode(photo(10 * label + number), "JPEG"))
    jpeg, png = encode(photo(1), "JPEG"), bytearray(encode(photo(2), "PNG"))
    png[60:200] = bytes(140)
    for name, content in zip(DAMAGED, (b"", b"not an image\n", jpeg[: len(jpeg) // 2], bytes(png)), strict=True):
        (folder / CLASSES[0] / name).write_bytes(content)
    return folder


@pytest.fixture
def recipe_data():
    """Makes a `lambda_keras.zoo.recipe.Data`."""

    def make(name="image_folder", image_size=32, **options):
        return Data(name=name, image_size=image_size, **options)

    return make
