import os
import tracemalloc

import pytest
import tensorflow as tf

from lambda_keras.zoo.data.images import image_bytes
from lambda_keras.zoo.data.images.image_bytes import ImageFileError
from lambda_keras.zoo.data.images.image_header import begins_as_image, read_header

TOO_LONG = "3,000,000,000 bytes, over the limit of 1,495,655,760 for 178,956,970 pixels"
HEADS = [b"", b"\xff\xd8", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF1234WEBPVP8 ", b"RIFF1234AVI "]
DAMAGED = "damaged, or not a JPEG, PNG, BMP, GIF or WebP file"


def long_file(path, beginning):
    """A file of 3 GB, of which the disk holds the beginning alone."""
    path.write_bytes(beginning)
    os.truncate(path, 3_000_000_000)
    return path


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("PNG", {}), ("GIF", {}), ("BMP", {}), ("WEBP", {}), ("WEBP", {"lossless": True})],
)
def test_images_of_pillow_are_read_as_they_are(kind, options, encode, photo, tmp_path):
    content = encode(photo(0), kind, **options)
    (tmp_path / "file").write_bytes(content)
    assert image_bytes.read(tmp_path / "file") == content


@pytest.mark.parametrize("head", HEADS)
def test_the_first_bytes_tell_what_the_header_of_the_graph_tells(head):
    # A file that ends after the first bytes of a JPEG is damaged, which the graph says in its own way.
    kind = 1 if head == b"\xff\xd8\xff" else int(read_header(tf.constant(head)).kind)
    assert begins_as_image(head[:12]) == (kind > 0)


@pytest.mark.parametrize(
    ("name", "beginning", "reason"),
    [
        ("video.mp4", b"\0\0\0\x20ftypisom\0\0\2\0", DAMAGED),
        ("video.jpg", b"RIFF1234AVI LIST", DAMAGED),
        ("scan.jpg", b"\xff\xd8\xff\xe0", TOO_LONG),
    ],
)
def test_what_is_no_image_or_too_long_takes_no_memory(tmp_path, name, beginning, reason):
    path = long_file(tmp_path / name, beginning)
    tracemalloc.start()
    with pytest.raises(ImageFileError, match=f"^cannot decode {path}: ") as error:
        image_bytes.read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert error.value.reason == reason


def test_more_pixels_may_have_more_bytes(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    os.truncate(path, image_bytes.BYTES_BESIDE_PIXELS + 80)
    assert len(image_bytes.read(path, most_pixels=10)) == image_bytes.BYTES_BESIDE_PIXELS + 80
    with pytest.raises(ImageFileError, match=r"over the limit of 64,000,072 for 9 pixels; --most-pixels raises it$"):
        image_bytes.read(path, most_pixels=9)


def test_what_is_not_there_or_empty(tmp_path):
    with pytest.raises(ImageFileError, match=f"^cannot read {tmp_path}/none.png: No such file") as error:
        image_bytes.read(tmp_path / "none.png")
    assert error.value.reason == "cannot be read: No such file or directory"
    with pytest.raises(ImageFileError, match=r"^cannot read .*: Is a directory$"):
        image_bytes.read(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageFileError, match=r"^cannot decode .*empty.png: an empty file$"):
        image_bytes.read(tmp_path / "empty.png")
