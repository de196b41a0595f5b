"""The first picture of a GIF file inside a TensorFlow graph.

TensorFlow's own operation draws what is transparent black, cuts off a picture that does not begin in the corner of
its screen, and unpacks all pictures of an animation to return one. So it is given a file of this one alone.
"""

import tensorflow as tf

from lambda_keras.zoo.data.images.image_header import DAMAGED, HEAD, MOST_PARTS, numbers, window
from lambda_keras.zoo.data.images.requirement import require

_EXTENSION, _GRAPHIC_CONTROL, _PICTURE = 0x21, 0xF9, 0x2C
_SCREEN = 13
_NO_TRANSPARENCY = b"\x21\xf9\x04\0\0\0\0\0"
_COLOURS = 256


# Traced once in a process, not in each pipeline.
@tf.function(autograph=False)
def decode_gif(encoded: tf.Tensor, data: tf.Tensor, most_pixels: int) -> tf.Tensor:
    """Decodes the first picture of a GIF file.

    Args:
        encoded: Scalar string, the bytes of the file.
        data: The same and a zero, uint8 `[n + 1]`.
        most_pixels: The most that the picture and its screen may have.

    Returns:
        uint8 `[height, width, 3]` of the screen, or 4 where a colour is transparent.

    Raises:
        tf.errors.InvalidArgumentError: It is damaged, or too large.
    """
    screen = window(data, 0, HEAD)
    picture, control = _find_picture(data, screen[10])
    left, top, width, height, kind, flags = numbers(
        window(data, picture, 10), *((place, 2, False) for place in (1, 3, 5, 7)), (0, 1, False), (9, 1, False)
    )
    screen_width, screen_height = numbers(screen, (6, 2, False), (8, 2, False))
    screen_width, screen_height = tf.maximum(screen_width, left + width), tf.maximum(screen_height, top + height)
    fits = (kind == _PICTURE) & (screen_width * screen_height <= most_pixels)
    has_own_colours = flags >= 128
    colour_flags = tf.where(has_own_colours, flags, screen[10])
    with tf.control_dependencies([require((fits & (colour_flags >= 128), DAMAGED))]):
        encoded, colour_flags = tf.identity(encoded), tf.identity(colour_flags)
    colours_at = tf.where(has_own_colours, picture + 10, tf.constant(_SCREEN, tf.int64))
    size = colour_flags % 8
    count = 2 ** (size + 1)
    codes = picture + 10 + tf.where(has_own_colours, 3 * count, tf.constant(0, tf.int64))
    colours = _part(encoded, colours_at, 3 * count)
    shape = _part(encoded, picture + 5, 4)
    end = _end_of_blocks(data, codes + 1)
    parts = [
        b"GIF89a",
        shape,
        tf.gather([bytes([0xF0 + size]) for size in range(8)], size),
        b"\0\0",
        colours,
        _NO_TRANSPARENCY,
        b"\x2c\0\0\0\0",
        shape,
        # Of its flags only that its rows are interlaced.
        tf.where(flags // 64 % 2 == 1, b"\x40", b"\0"),
        _part(encoded, codes, end - codes),
        b"\0;",
    ]

    def draw(colours):
        alone = tf.strings.join([*parts[:4], colours, *parts[5:]])
        return tf.ensure_shape(tf.io.decode_image(alone, channels=3, expand_animations=False), [None, None, 3])

    def on_screen(pixels, outside):
        below, beside = screen_height - top - height, screen_width - left - width
        # Bytes wrap around, so that what is added around the picture becomes `outside`.
        return tf.pad(pixels - outside, [[top, below], [left, beside], [0, 0]]) + outside

    control = window(data, control, 7)
    is_transparent = control[3] % 2 == 1
    transparent = tf.where(is_transparent, control[6], tf.constant(0, tf.int64))
    # Pillow draws on the transparent colour, or on the first.
    outside = tf.ensure_shape(data[colours_at + 3 * transparent :][:3], [3])
    pixels = on_screen(draw(colours), outside)

    def with_alpha():
        zeros = tf.constant(b"\0" * 3 * _COLOURS)
        before = _part(zeros, 0, 3 * transparent)
        after = _part(zeros, 0, 3 * tf.maximum(count - transparent - 1, 0))
        white = tf.strings.join([before, b"\xff\xff\xff", after])
        drawn = draw(_part(white, 0, 3 * count))[..., :1]
        return tf.concat([pixels, 255 - on_screen(drawn, tf.constant([255], tf.uint8))], axis=-1)

    return tf.cond(is_transparent, with_alpha, lambda: pixels)


def _part(text, start, length):
    return tf.strings.substr(text, tf.cast(start, tf.int64), tf.cast(length, tf.int64))


def _find_picture(data, flags):
    """Where the first picture begins, and its graphic control; both at the end of the file where there is none."""
    first = _SCREEN + tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), tf.constant(0, tf.int64))
    end = tf.size(data, tf.int64)

    def goes_on(place, in_extension, control, count):
        is_extension = in_extension | (window(data, place, 1)[0] == _EXTENSION)
        return is_extension & (place < end) & (count < MOST_PARTS)

    def following(place, in_extension, control, count):
        value, label = tf.unstack(window(data, place, 2))
        control = tf.where(~in_extension & (label == _GRAPHIC_CONTROL), place, control)
        # Its blocks begin with their length, the last has none.
        return place + tf.where(in_extension, 1 + value, 2), ~in_extension | (value > 0), control, count + 1

    place, _, control, _ = tf.while_loop(goes_on, following, (first, tf.constant(False), end, 0))
    return place, control


def _end_of_blocks(data, start):
    """Where the blocks that begin at `start` end: each begins with its length, and the last, which has 0, is returned.

    Of each byte it is asked where a block that began there would be followed by the next, then by the one after two,
    four, eight. That takes as many steps as there are digits in the number of blocks.
    """
    lengths = tf.cast(data[start:-1], tf.int32)
    size = tf.size(lengths)
    places = tf.range(size + 1)
    following = tf.minimum(places + tf.pad(lengths, [[0, 1]]) + tf.pad(tf.minimum(lengths, 1), [[0, 1]]), size)
    following = tf.while_loop(
        lambda following: tf.gather(following, following[0]) != following[0],
        lambda following: (tf.gather(following, following),),
        (following,),
    )[0]
    return start + tf.cast(following[0], tf.int64)
