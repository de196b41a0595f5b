"""A folder with every problem that a folder of pictures may have."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def messy_folder(encode, photo, tmp_path_factory):
    """Class folders `cat`, `dog` and `Löwe` with five good pictures each, and all else. Tests do not write to it."""
    folder = tmp_path_factory.mktemp("messy")
    for label, name in enumerate(("cat", "dog", "Löwe")):
        (folder / name).mkdir()
        for number in range(5):
            (folder / name / f"{number}.jpg").write_bytes(encode(photo(10 * label + number), "JPEG"))
    cat, dog, lion = folder / "cat", folder / "dog", folder / "Löwe"
    deep = np.arange(48 * 64, dtype="uint16").reshape(48, 64) * 21
    Image.fromarray(deep).save(cat / "sixteen_bits.png")
    (cat / "cmyk.jpg").write_bytes(encode(photo(100), "JPEG", "CMYK"))
    (cat / "palette.png").write_bytes(encode(photo(101), "PNG", "P"))
    frames = [Image.fromarray(photo(number)) for number in (102, 103)]
    frames[0].save(cat / "animated.gif", save_all=True, append_images=frames[1:])
    (cat / "grüße 图.PNG").write_bytes(encode(photo(104)))
    Image.new("1", (9000, 6000)).save(cat / "huge.png")
    (cat / "same.jpg").write_bytes((cat / "0.jpg").read_bytes())
    (cat / "link.jpg").symlink_to(cat / "1.jpg")
    (cat / "nowhere.jpg").symlink_to(folder / "nowhere.jpg")
    (cat / "text.jpg").write_text("not an image")
    (cat / "empty.jpg").touch()
    (cat / "notes.txt").touch()
    (cat / "older").mkdir()
    (cat / ".hidden.jpg").touch()
    (dog / "a cat.jpg").write_bytes((cat / "2.jpg").read_bytes())
    (folder / "nobody").mkdir()
    (folder / "one").mkdir()
    (folder / "one" / "only.jpg").write_bytes(encode(photo(105), "JPEG"))
    (folder / "owl").symlink_to(lion)
    (folder / "readme.txt").touch()
    return folder
