"""What the header of an image file says, read inside a TensorFlow graph before anything is decoded.

TensorFlow's own operations decode without asking for the size, and turn nothing upright. The graph is set up for every
few images, so it has few operations: numbers at fixed places are read by one product.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

JPEG, PNG, GIF, BMP, WEBP = range(1, 6)
KINDS = "JPEG, PNG, BMP, GIF or WebP"
DAMAGED = f"damaged, or not a {KINDS} file"
# Parts of a file to look at for EXIF data: it may have any number of empty ones, and a loop takes its time.
MOST_PARTS = 5000
HEAD = 80

# What files begin with; a byte of None may be any.
_BEGINNINGS = {
    JPEG: b"\xff\xd8\xff",
    PNG: b"\x89PNG\r\n\x1a\n",
    GIF: b"GIF8",
    BMP: b"BM",
    WEBP: [*b"RIFF", None, None, None, None, *b"WEBP"],
}
# Files of three kinds are parts in a row. Of each: where the first begins, what the one with EXIF data begins with, how
# many bytes of it are before these, where the length of a part is and what it does not count.
_FIRST_PART = {JPEG: 2, PNG: 8, WEBP: 12}
_EXIF_NAME = b"Exif\0\0"
_EXIF_PART = {
    JPEG: [None, 0xE1, None, None, *_EXIF_NAME],
    PNG: [None, None, None, None, *b"eXIf"],
    WEBP: b"EXIF",
}
# Of bytes, which need not be text.
_WITH_EXIF = r"\C*(Exif|eXIf|EXIF)\C*"
_BEFORE_EXIF = {JPEG: 10, PNG: 8, WEBP: 8}
_UNCOUNTED = {JPEG: 2, PNG: 12, WEBP: 8}
_BIG, _LITTLE = True, False
_LENGTH = {JPEG: (2, 2, _BIG), PNG: (0, 4, _BIG), WEBP: (4, 4, _LITTLE)}
# Of a file, and of a part: the bytes that tell what it is.
BEGINNING = 12
_JPEG_WITHOUT_LENGTH = (0x01, 0xFF, *range(0xD0, 0xD9))
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_SEARCHING, _FOUND, _NONE = range(3)
# How long the header of a BMP file is that has its numbers in two bytes each.
_OS2_HEADER = 12

_ORIENTATION, _SHORT = 0x0112, 3
_MOST_ENTRIES = 100


class Header(NamedTuple):
    """What the header of a file says; scalars.

    Attributes:
        data: The bytes of the file and a zero, uint8 `[n + 1]`.
        kind: `JPEG`, `PNG`, `GIF`, `BMP` or `WEBP`; 0 for anything else, int32.
        height: Of the pixels as they are stored, int64; 0 for no image.
        width: The same.
        orientation: How EXIF says that they are turned, 1 to 8, int32; 1 is upright.
    """

    data: tf.Tensor
    kind: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    orientation: tf.Tensor


def begins_as_image(head: bytes) -> bool:
    """Whether a file is of a kind that is decoded, by its first bytes.

    Args:
        head: The first `BEGINNING` bytes of the file, or all where it has fewer.

    Example:
        >>> begins_as_image(b"GIF89a"), begins_as_image(b"RIFF....AVI "), begins_as_image(b"")
        (True, False, False)
    """
    return any(
        len(head) >= len(pattern) and all(want in (None, got) for want, got in zip(pattern, head, strict=False))
        for pattern in _BEGINNINGS.values()
    )


# Traced once in a process, not in each pipeline.
@tf.function(autograph=False)
def read_header(encoded: tf.Tensor) -> Header:
    """Reads kind, size and orientation of an image file.

    Args:
        encoded: Scalar string, the bytes of the file.

    Raises:
        tf.errors.InvalidArgumentError: It is a JPEG file of which the header is damaged.

    Example:
        >>> header = read_header(tf.io.encode_png(tf.zeros([2, 3, 1], tf.uint8)))
        >>> [int(value) for value in header[1:]]
        [2, 2, 3, 1]
    """
    data = tf.pad(tf.io.decode_raw(encoded, tf.uint8), [[0, 1]])
    head = window(data, 0, HEAD)
    bytes_of, any_byte = _patterns(_BEGINNINGS)
    is_kind = tf.reduce_all((head[:BEGINNING] == bytes_of) | any_byte, axis=1)
    kind = tf.cast(tf.argmax(is_kind), tf.int32)
    height, width = _size(encoded, head, kind)
    # Most files have no EXIF data, and to walk through the parts of one takes longer than to look for these letters.
    may_be_turned = tf.strings.regex_full_match(encoded, _WITH_EXIF)
    orientation = tf.cond(may_be_turned, lambda: _orientation(data, kind), lambda: 1)
    return Header(data, kind, height, width, orientation)


def window(data: tf.Tensor, place: tf.Tensor | int, length: int) -> tf.Tensor:
    """Takes some bytes of a file; past its end they are zeros.

    Args:
        data: uint8 `[n + 1]`, as in `Header`.
        place: The first.
        length: How many.

    Returns:
        int64 `[length]`.
    """
    places = tf.cast(place, tf.int64) + tf.range(length, dtype=tf.int64)
    return tf.cast(tf.gather(data, tf.minimum(places, tf.size(data, tf.int64) - 1)), tf.int64)


def numbers(digits: tf.Tensor, *fields: tuple[int, int, bool]) -> list[tf.Tensor]:
    """Reads numbers without a sign.

    Args:
        digits: int64 `[length]`, from `window`.
        fields: Of each number the place in there, how many bytes it has, and whether the most significant comes first.

    Returns:
        int64 scalars.
    """
    weights = np.stack([_weights(*field, digits.shape[0]) for field in fields])
    return tf.unstack(tf.reduce_sum(digits * weights, axis=1))


def _weights(place, length, is_big, size):
    weights = np.zeros(size, "int64")
    powers = [256**power for power in range(length)]
    weights[place : place + length] = powers[::-1] if is_big else powers
    return weights


def _patterns(of_kind):
    """For each kind the bytes that a part has, and which of them may be any; of other kinds there is no such part."""
    patterns = np.zeros([len(_BEGINNINGS) + 1, BEGINNING], "int64")
    any_byte = np.zeros(patterns.shape, bool)
    # No byte has this number.
    patterns[[kind for kind in range(len(patterns)) if kind not in of_kind]] = -1
    for kind, pattern in of_kind.items():
        pattern = [*pattern, *[None] * (BEGINNING - len(pattern))]
        patterns[kind] = [value or 0 for value in pattern]
        any_byte[kind] = [value is None for value in pattern]
    return tf.constant(patterns), tf.constant(any_byte)


def _table(of_kind):
    return tf.constant([of_kind.get(kind, 0) for kind in range(len(_BEGINNINGS) + 1)], tf.int64)


def _size(encoded, head, kind):
    png_height, png_width, gif_height, gif_width, bmp_height, bmp_width, bmp_header, *others = numbers(
        head,
        (20, 4, _BIG),
        (16, 4, _BIG),
        (8, 2, _LITTLE),
        (6, 2, _LITTLE),
        (22, 4, _LITTLE),
        (18, 4, _LITTLE),
        (14, 4, _LITTLE),
        (20, 2, _LITTLE),
        (18, 2, _LITTLE),
        (15, 1, _LITTLE),
        (26, 4, _LITTLE),
        (21, 4, _LITTLE),
        (27, 3, _LITTLE),
        (24, 3, _LITTLE),
    )
    os2_height, os2_width, letter, lossy, lossless, canvas_height, canvas_width = others
    # The last letter of VP8 with a blank, L or X.
    is_webp = tf.cast(letter == list(b" LX"), tf.int64)
    webp_height, webp_width = (
        tf.reduce_sum(
            is_webp
            * tf.stack([lossy // 2 ** (16 * shift) % 2**14, lossless // 2 ** (14 * shift) % 2**14 + 1, canvas + 1])
        )
        for shift, canvas in ((1, canvas_height), (0, canvas_width))
    )
    # By the library that decodes it: no other reading of a strange file may get past a limit.
    jpeg_height, jpeg_width = tf.cond(
        kind == JPEG,
        lambda: tuple(tf.unstack(tf.cast(tf.image.extract_jpeg_shape(encoded)[:2], tf.int64), 2)),
        lambda: (tf.constant(0, tf.int64), tf.constant(0, tf.int64)),
    )
    # A number with a sign: below zero where the first row is at the top.
    is_os2 = bmp_header == _OS2_HEADER
    bmp_height = tf.where(is_os2, os2_height, tf.minimum(bmp_height, 2**32 - bmp_height))
    bmp_width = tf.where(is_os2, os2_width, bmp_width)
    heights = [0, jpeg_height, png_height, gif_height, bmp_height, webp_height]
    widths = [0, jpeg_width, png_width, gif_width, bmp_width, webp_width]
    return tf.gather(tf.stack(heights), kind), tf.gather(tf.stack(widths), kind)


def _orientation(data, kind):
    end = tf.size(data, tf.int64)
    first, uncounted, before_exif = (
        tf.gather(_table(table), kind) for table in (_FIRST_PART, _UNCOUNTED, _BEFORE_EXIF)
    )
    exif_part, any_byte = (tf.gather(table, kind) for table in _patterns(_EXIF_PART))
    weights = np.zeros([len(_BEGINNINGS) + 1, BEGINNING], "int64")
    for number, field in _LENGTH.items():
        weights[number] = _weights(*field, BEGINNING)
    weights = tf.gather(weights, kind)
    is_jpeg, is_webp = kind == JPEG, kind == WEBP

    def look(place, state, count):
        part = window(data, place, BEGINNING)
        length = tf.reduce_sum(part * weights)
        # Chunks of WebP begin at even places; before a marker of JPEG there may be more of 0xFF.
        step = uncounted + length + tf.where(is_webp, length % 2, 0)
        alone = is_jpeg & tf.reduce_any(part[1] == _JPEG_WITHOUT_LENGTH)
        step = tf.where(alone, tf.where(part[1] == 0xFF, tf.constant(1, tf.int64), 2), step)
        is_last = is_jpeg & ((part[0] != 0xFF) | tf.reduce_any(part[1] == (_JPEG_SCAN, _JPEG_END)))
        state = tf.where(tf.reduce_all((part == exif_part) | any_byte), _FOUND, tf.where(is_last, _NONE, _SEARCHING))
        return tf.where(state == _FOUND, place, place + step), state, count + 1

    def goes_on(place, state, count):
        return (first > 0) & (state == _SEARCHING) & (place < end) & (count < MOST_PARTS)

    place, state, _ = tf.while_loop(goes_on, look, (first, _SEARCHING, 0))
    return tf.cond(state == _FOUND, lambda: _read_exif(data, place + before_exif), lambda: 1)


def _read_exif(data, start):
    begin = window(data, start, 8 + len(_EXIF_NAME))
    # Some write into WebP and PNG files the name that they have in a JPEG file.
    named = tf.reduce_all(begin[: len(_EXIF_NAME)] == list(_EXIF_NAME))
    begin = tf.where(named, begin[len(_EXIF_NAME) :], begin[:8])
    start += tf.where(named, tf.constant(len(_EXIF_NAME), tf.int64), 0)
    is_big = tf.reduce_all(begin[:4] == list(b"MM\0*"))
    is_exif = is_big | tf.reduce_all(begin[:4] == list(b"II*\0"))
    big, little = numbers(begin, (4, 4, _BIG), (4, 4, _LITTLE))
    directory = window(data, start + tf.where(is_big, big, little), 2 + 12 * _MOST_ENTRIES)
    pairs = tf.reshape(directory, [-1, 2])
    # All that is looked at are numbers of two bytes.
    shorts = tf.reduce_sum(
        pairs * tf.where(is_big, tf.constant([256, 1], tf.int64), tf.constant([1, 256], tf.int64)), axis=1
    )
    entries = tf.reshape(shorts[1:], [_MOST_ENTRIES, 6])
    is_orientation = (entries[:, 0] == _ORIENTATION) & (entries[:, 1] == _SHORT)
    is_orientation &= tf.range(_MOST_ENTRIES, dtype=tf.int64) < shorts[0]
    value = tf.cast(tf.reduce_max(tf.where(is_orientation, entries[:, 4], 0)), tf.int32)
    return tf.where(is_exif & (value >= 1) & (value <= 8), value, 1)
