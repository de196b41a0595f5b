"""How every image file is decoded, in training, evaluation, prediction and a server alike: upright, as Pillow does."""

import functools

import tensorflow as tf

from lambda_keras.zoo.data.bmp import decode_bmp
from lambda_keras.zoo.data.gif import decode_gif
from lambda_keras.zoo.data.image_header import JPEG, KINDS, MOST_PARTS, Header, numbers, read_header, window
from lambda_keras.zoo.data.lock import lock_if
from lambda_keras.zoo.data.requirement import reason, require
from lambda_keras.zoo.recipe import MOST_PIXELS

_WEBP_WITH_FLAGS = int.from_bytes(b"VP8X", "little")
# Colours are converted so many pixels at a time: all at once would take several times the memory of the image.
_BLOCK = 2**20
# Images with more pixels are decoded one at a time, see `decode_and_resize`; most photographs have fewer.
LARGE_PIXELS = 16_000_000
_DCT = "INTEGER_ACCURATE"
_PNG_GREY, _PNG_COLOUR = 0, 2
_PNG_TRANSPARENT, _PNG_PIXELS = (int.from_bytes(name, "big") for name in (b"tRNS", b"IDAT"))


def decode(encoded, channels, most_pixels=MOST_PIXELS):
    """Decodes a JPEG, PNG, BMP, GIF or WebP file (of an animation the first frame).

    It is turned as its EXIF data say. JPEG files are decoded with whole numbers of full accuracy, as Pillow does.

    Args:
        encoded: Scalar string, the bytes of the file; a decoded image stays as it is.
        channels: 1, 3 or 4. Grey becomes RGB and RGB grey where the file has the other. What is transparent is laid
            over white, unless there are 4.
        most_pixels: How many pixels its header may say, before anything is decoded.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        tf.errors.InvalidArgumentError: The file is damaged, of another kind or too large; see `why`.
    """
    encoded = tf.convert_to_tensor(encoded)
    if encoded.dtype != tf.string:
        return encoded
    if tf.executing_eagerly():
        return _compiled(channels, most_pixels, tf.identity)(encoded)
    return decode_and_resize(encoded, channels, most_pixels, tf.identity)


def image_size(encoded, most_pixels=MOST_PIXELS):
    """Decodes a file to see whether it can be, one large one at a time, and keeps only its size.

    Args:
        encoded: The bytes of the file.
        most_pixels: As for `decode`.

    Returns:
        Height and width of the upright image.

    Raises:
        tf.errors.InvalidArgumentError: As for `decode`.
    """
    height, width, _ = _compiled(3, most_pixels, tf.shape)(encoded).numpy().tolist()
    return height, width


def why(error):
    """Says why `decode` refused a file, in words that follow the file's name and a comma or colon.

    Args:
        error: The `tf.errors.InvalidArgumentError` that it raised.
    """
    return reason(error) or f"damaged, or not a {KINDS} file"


def check(encoded, header, most_pixels):
    """Refuses what is no image, and what is too large.

    Args:
        encoded: Scalar string, the bytes of a file.
        header: Its `lambda_keras.zoo.data.image_header.Header`.
        most_pixels: How many pixels the header may say.

    Returns:
        `encoded`, for what may run only if nothing was refused.

    Raises:
        tf.errors.InvalidArgumentError: It is refused.
    """
    pixels = header.height * header.width
    # The sides alone: of a damaged header the product could pass the largest number.
    is_small = (header.height <= most_pixels) & (header.width <= most_pixels) & (pixels <= most_pixels)
    size = tf.strings.join([tf.as_string(header.width), "x", tf.as_string(header.height)])
    too_large = tf.strings.join([size, f" pixels, over the limit of {most_pixels:,}"])
    is_image = (header.kind > 0) & (header.height > 0) & (header.width > 0)
    with tf.control_dependencies([require(is_image, f"damaged, or not a {KINDS} file"), require(is_small, too_large)]):
        return tf.identity(encoded)


@functools.cache
def _compiled(channels, most_pixels, resize):
    """`decode_and_resize` as a graph: its many small operations are slow one by one, and memory is freed early."""
    return tf.function(
        lambda encoded: decode_and_resize(encoded, channels, most_pixels, resize),
        input_signature=[tf.TensorSpec([], tf.string)],
    )


# Nothing in it is to be rewritten, and in each pipeline the search for what is would take seconds.
@tf.autograph.experimental.do_not_convert
def decode_and_resize(encoded, channels, most_pixels, resize, draw_window=None, large=LARGE_PIXELS):
    """Decodes an image file inside a graph, and makes it smaller.

    Only one large image at a time is in memory, of all that the process decodes so.

    Args:
        encoded: Scalar string, the bytes of the file.
        channels: As for `decode`.
        most_pixels: As for `decode`.
        resize: Function of the image, uint8 `[height, width, channels]`; large ones are gone when it has run.
        draw_window: Function of the image's shape to top, left, height and width of the part that `resize` is given;
            of a JPEG file only this is decoded.
        large: More pixels than these make a large image.

    Returns:
        What `resize` does.

    Raises:
        tf.errors.InvalidArgumentError: As for `decode`.
    """
    header = read_header(encoded)
    encoded = check(encoded, header, most_pixels)
    lock, unlock = lock_if(header.height * header.width > large)
    with tf.control_dependencies([lock]):
        encoded = tf.identity(encoded)
    if draw_window is None:
        image = upright(with_channels(_stored_pixels(encoded, header, most_pixels), channels), header.orientation)
    else:
        image = _window(encoded, header, channels, most_pixels, draw_window)
    result = resize(image)
    with tf.control_dependencies([unlock(result)]):
        return tf.identity(result)


def _window(encoded, header, channels, most_pixels, draw_window):
    height, width = tf.cast(header.height, tf.int32), tf.cast(header.width, tf.int32)
    is_turned = header.orientation >= 5
    height, width = tf.where(is_turned, width, height), tf.where(is_turned, height, width)
    window = draw_window(tf.stack([height, width, channels]))
    # Where it is in the file: what `upright` does, undone.
    top, left, rows, columns = tf.unstack(window, 4)
    left_right, top_bottom = mirrored(header.orientation)
    left = tf.where(left_right, width - left - columns, left)
    top = tf.where(top_bottom, height - top - rows, top)
    stored = tf.where(is_turned, tf.stack([left, top, columns, rows]), tf.stack([top, left, rows, columns]))
    image = with_channels(_stored_pixels(encoded, header, most_pixels, stored), channels)
    image = upright(image, header.orientation)
    corner = tf.where(header.kind == JPEG, 0, window[:2])
    return image[corner[0] : corner[0] + rows, corner[1] : corner[1] + columns]


def _stored_pixels(encoded, header: Header, most_pixels, jpeg_window=None):
    """uint8 `[height, width, 1 to 4]`: grey, grey and alpha, RGB, or RGB and alpha."""

    def jpeg():
        if jpeg_window is None:
            return tf.io.decode_jpeg(encoded, dct_method=_DCT)
        return tf.image.decode_and_crop_jpeg(encoded, jpeg_window, dct_method=_DCT)

    def png():
        return _decode_png(encoded, header.data)

    def gif():
        return decode_gif(encoded, header.data, most_pixels)

    def bmp():
        return decode_bmp(header.data, header.height, header.width)

    def webp():
        name, flags = numbers(window(header.data, 12, 9), (0, 4, False), (8, 1, False))
        is_animated = (name == _WEBP_WITH_FLAGS) & (flags // 2 % 2 == 1)
        message = "an animated WebP file, which is not read; save its first picture"
        # TensorFlow writes these pictures beyond the memory that it takes for them.
        with tf.control_dependencies([require(~is_animated, message)]):
            return tf.io.decode_image(tf.identity(encoded), expand_animations=False)

    # In the order of their numbers, see `image_header`.
    pixels = tf.switch_case(header.kind - 1, [jpeg, png, gif, bmp, webp])
    return tf.ensure_shape(pixels, [None, None, None])


def _decode_png(encoded, data):
    image = tf.io.decode_png(encoded, channels=0)
    bits, colour_type = tf.unstack(window(data, 24, 2))

    def find_transparent_colour():
        """Where the chunk tRNS begins; at the end of the file where there is none before the pixels."""
        end = tf.size(data, tf.int64)

        def look(place, is_found, count):
            length, name = numbers(window(data, place, 8), (0, 4, True), (4, 4, True))
            is_found = name == _PNG_TRANSPARENT
            following = tf.where(name == _PNG_PIXELS, end, place + 12 + length)
            return tf.where(is_found, place, following), is_found, count + 1

        def goes_on(place, is_found, count):
            return ~is_found & (place < end) & (count < MOST_PARTS)

        place, is_found, _ = tf.while_loop(goes_on, look, (tf.constant(8, tf.int64), False, 0))
        return tf.where(is_found, place, end)

    def with_alpha():
        message = "a PNG file of 16 bits with a transparent colour, which is not read; save it with an alpha channel"
        with tf.control_dependencies([require(bits <= 8, message)]):
            values = tf.reshape(window(data, place + 8, 6), [3, 2])[:, 1]
        colour = tf.cast(values * 255 // (2**bits - 1), tf.uint8)[: tf.shape(image)[-1]]
        is_transparent = tf.reduce_all(image == colour, axis=-1, keepdims=True)
        return tf.concat([image, tf.where(is_transparent, tf.constant(0, tf.uint8), 255)], axis=-1)

    # Of grey and RGB one colour may be transparent, of which TensorFlow takes no notice.
    may_have_one = (colour_type == _PNG_GREY) | (colour_type == _PNG_COLOUR)
    place = tf.cond(may_have_one, find_transparent_colour, lambda: tf.size(data, tf.int64))
    return tf.cond(place < tf.size(data, tf.int64), with_alpha, lambda: image)


def with_channels(image, channels):
    """Converts the colours of an image as Pillow does.

    Args:
        image: uint8 `[height, width, 1 to 4]`: grey, grey and alpha, RGB, or RGB and alpha.
        channels: Those of the result; what is transparent is laid over white where they are not 4.

    Returns:
        uint8 `[height, width, channels]`.
    """

    def block_by_block():
        height, width = tf.unstack(tf.shape(image)[:2])
        rows = tf.maximum(_BLOCK // width, 1)
        blocks = tf.TensorArray(tf.uint8, tf.constant(0), True, infer_shape=False, element_shape=[None, None, channels])

        def add(top, blocks):
            return top + rows, blocks.write(top // rows, _convert(image[top : top + rows], channels))

        _, blocks = tf.while_loop(lambda top, blocks: top < height, add, (0, blocks))
        return blocks.concat()

    converted = tf.cond(tf.shape(image)[-1] == channels, lambda: image, block_by_block)
    return tf.ensure_shape(converted, [None, None, channels])


def _convert(image, channels):
    stored = tf.shape(image)[-1]
    has_alpha = stored % 2 == 0
    colour = tf.cond(stored <= 2, lambda: tf.repeat(image[..., :1], 3, axis=-1), lambda: image[..., :3])
    alpha = tf.cond(has_alpha, lambda: image[..., -1:], lambda: tf.ones_like(image[..., :1]) * 255)
    if channels == 4:
        return tf.concat([colour, alpha], axis=-1)
    # Beneath what is transparent there is any colour, mostly black: drawings would be black on black.
    colour = tf.cond(has_alpha, lambda: _over_white(colour, alpha), lambda: colour)
    return _grey(colour) if channels == 1 else colour


def _over_white(colour, alpha):
    colour, alpha = tf.cast(colour, tf.uint16), tf.cast(alpha, tf.uint16)
    total = colour * alpha + 255 * (255 - alpha) + 128
    # Divided by 255 and rounded, in a quarter of the time: as Pillow does it.
    eight = tf.constant(8, tf.uint16)
    return tf.cast(tf.bitwise.right_shift(total + tf.bitwise.right_shift(total, eight), eight), tf.uint8)


def _grey(colour):
    # Pillow's weights, which sum to 2 to the 16.
    weighted = tf.cast(colour, tf.int32) * tf.constant([19595, 38470, 7471])
    total = tf.reduce_sum(weighted, axis=-1, keepdims=True) + 2**15
    return tf.cast(tf.bitwise.right_shift(total, 16), tf.uint8)


def upright(image, orientation):
    """Turns an image as EXIF says.

    Args:
        image: uint8 `[height, width, channels]` as it is stored.
        orientation: 1 to 8, int32 scalar.

    Returns:
        The same upright; from 5 on height and width are exchanged.
    """
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    left_right, top_bottom = mirrored(orientation)
    image = tf.cond(left_right, lambda: image[:, ::-1], lambda: image)
    return tf.cond(top_bottom, lambda: image[::-1], lambda: image)


def mirrored(orientation):
    """Whether an image is mirrored left to right, and top to bottom, after its axes were exchanged from 5 on.

    Args:
        orientation: 1 to 8, int32 scalar.
    """
    return tf.reduce_any(orientation == [2, 3, 6, 7]), tf.reduce_any(orientation == [3, 4, 7, 8])
