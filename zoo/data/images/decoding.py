"""How every image file is decoded, in training, evaluation, prediction and a server alike: upright, as Pillow does."""

from collections.abc import Callable

import tensorflow as tf

from lambda_keras.zoo.data.images.bmp import decode_bmp
from lambda_keras.zoo.data.images.colours import by_blocks, convert, with_channels
from lambda_keras.zoo.data.images.gif import decode_gif
from lambda_keras.zoo.data.images.image_header import DAMAGED, JPEG, MOST_PARTS, Header, numbers, read_header, window
from lambda_keras.zoo.data.images.lock import lock_if
from lambda_keras.zoo.data.images.requirement import reason, require
from lambda_keras.zoo.data.images.resizing import Resizing, narrow, resize, shorten
from lambda_keras.zoo.data.limits import MOST_PIXELS

_WEBP_WITH_FLAGS = int.from_bytes(b"VP8X", "little")
# Images with more pixels are decoded one at a time and resized in blocks; most photographs have fewer.
LARGE_PIXELS = 16_000_000
# In the reason of a file that is refused for its size alone.
OVER_THE_LIMIT = "over the limit"
_DCT = "INTEGER_ACCURATE"
_PNG_GREY, _PNG_COLOUR = 0, 2
_PNG_TRANSPARENT, _PNG_PIXELS = (int.from_bytes(name, "big") for name in (b"tRNS", b"IDAT"))


def decode(encoded: tf.Tensor | bytes, channels: int, most_pixels: int = MOST_PIXELS) -> tf.Tensor:
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
    return _decode(encoded, channels, most_pixels)


def image_size(encoded: tf.Tensor | bytes, most_pixels: int = MOST_PIXELS) -> tuple[int, int]:
    """Decodes a file to see whether it can be, one large one at a time, and keeps only its size.

    Args:
        encoded: The bytes of the file.
        most_pixels: As for `decode`.

    Returns:
        Height and width of the upright image.

    Raises:
        tf.errors.InvalidArgumentError: As for `decode`.
    """
    height, width = _size(tf.convert_to_tensor(encoded), most_pixels).numpy().tolist()
    return height, width


def why(error: tf.errors.InvalidArgumentError) -> str:
    """Says why `decode` refused a file, in words that follow the file's name and a comma or colon.

    Args:
        error: The `tf.errors.InvalidArgumentError` that it raised.
    """
    return reason(error) or DAMAGED


def check(encoded: tf.Tensor, header: Header, most_pixels: int) -> tf.Tensor:
    """Refuses what is no image, and what is too large.

    Args:
        encoded: Scalar string, the bytes of a file.
        header: Its `lambda_keras.zoo.data.images.image_header.Header`.
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
    too_large = tf.strings.join([size, f" pixels, {OVER_THE_LIMIT} of {most_pixels:,}"])
    is_image = (header.kind > 0) & (header.height > 0) & (header.width > 0)
    with tf.control_dependencies([require((is_image, DAMAGED), (is_small, too_large))]):
        return tf.identity(encoded)


# As a graph: many small operations are slow one by one, and memory is freed early.
@tf.function(autograph=False)
def _decode(encoded, channels, most_pixels):
    header = read_header(encoded)
    encoded = check(encoded, header, most_pixels)
    pixels = _stored_pixels(encoded, header, most_pixels)
    return upright(with_channels(pixels, channels), header.orientation)


@tf.function(autograph=False)
def _size(encoded, most_pixels):
    header = read_header(encoded)
    encoded = check(encoded, header, most_pixels)

    def size(encoded):
        height, width = tf.unstack(tf.shape(_stored_pixels(encoded, header, most_pixels))[:2])
        return tf.stack(_sides(height, width, header.orientation))

    return _one_at_a_time(size, encoded, header, LARGE_PIXELS)


# Nothing in it is to be rewritten, and in each pipeline the search for what is would take seconds.
@tf.autograph.experimental.do_not_convert
def decode_and_resize(
    encoded: tf.Tensor,
    channels: int,
    most_pixels: int,
    plan: Callable[[tf.Tensor], Resizing],
    draw_window: Callable[[tf.Tensor], tf.Tensor] | None = None,
    large: int = LARGE_PIXELS,
    orient: Callable[[Header], tf.Tensor] | None = None,
) -> tf.Tensor:
    """Decodes an image file inside a graph, and makes it smaller.

    Only one large image at a time is in memory, of all that the process decodes so.

    Args:
        encoded: Scalar string, the bytes of the file.
        channels: As for `decode`.
        most_pixels: As for `decode`.
        plan: Function of the height and width of what is resized, int32 `[2]`, to a
            `lambda_keras.zoo.data.images.resizing.Resizing`.
        draw_window: Function of the image's shape to top, left, height and width of the part that is resized; by
            default the whole. Of a JPEG file only this is decoded.
        large: More pixels than these make a large image.
        orient: Function of the file's `lambda_keras.zoo.data.images.image_header.Header` to the orientation that its
            pixels are turned by, which may refuse the file; by default that of EXIF.

    Returns:
        uint8 `[*size, channels]`.

    Raises:
        tf.errors.InvalidArgumentError: As for `decode`.
    """
    header = read_header(encoded)
    encoded = check(encoded, header, most_pixels)
    if orient is not None:
        # After what is no image was refused, and before what is damaged is: each file is refused for one reason.
        with tf.control_dependencies([encoded]):
            header = header._replace(orientation=orient(header))
        with tf.control_dependencies([header.orientation]):
            encoded = tf.identity(encoded)

    def run(encoded):
        if draw_window is None:
            pixels = _stored_pixels(encoded, header, most_pixels)
        else:
            pixels = _window(encoded, header, channels, most_pixels, draw_window)
        stored = tf.shape(pixels)
        resizing = plan(tf.stack(_sides(stored[0], stored[1], header.orientation)))

        def at_once():
            return resize(upright(with_channels(pixels, channels), header.orientation), resizing)

        def in_blocks():
            # Its colours are converted where it is narrow already: as a whole they would take the memory once more.
            narrowed = by_blocks(pixels, lambda rows: narrow(convert(rows, channels), resizing), tf.float32)
            return shorten(tf.ensure_shape(narrowed, [None, resizing.size[1], channels]), resizing)

        is_wide = (stored[0] * stored[1] > LARGE_PIXELS) & (header.orientation == 1)
        return tf.cond(is_wide, in_blocks, at_once)

    return _one_at_a_time(run, encoded, header, large)


def _one_at_a_time(function, encoded, header, large):
    """Runs a function of a file; of large images, of those of the whole process, one after the other."""
    lock, unlock = lock_if(header.height * header.width > large)
    with tf.control_dependencies([lock]):
        encoded = tf.identity(encoded)
    result = function(encoded)
    with tf.control_dependencies([unlock(result)]):
        return tf.identity(result)


def _sides(height, width, orientation):
    """Height and width of the upright image, of those that are stored, or the other way round."""
    is_turned = orientation >= 5
    return tf.where(is_turned, width, height), tf.where(is_turned, height, width)


def _window(encoded, header, channels, most_pixels, draw_window):
    """The pixels, as they are stored, of a part of the upright image."""
    height, width = _sides(tf.cast(header.height, tf.int32), tf.cast(header.width, tf.int32), header.orientation)
    window = draw_window(tf.stack([height, width, channels]))
    # Where it is in the file: what `upright` does, undone.
    top, left, rows, columns = tf.unstack(window, 4)
    left_right, top_bottom = mirrored(header.orientation)
    left = tf.where(left_right, width - left - columns, left)
    top = tf.where(top_bottom, height - top - rows, top)
    is_turned = header.orientation >= 5
    stored = tf.where(is_turned, tf.stack([left, top, columns, rows]), tf.stack([top, left, rows, columns]))
    pixels = _stored_pixels(encoded, header, most_pixels, stored)
    # A JPEG file is decoded there alone.
    top, left = tf.unstack(tf.where(header.kind == JPEG, 0, stored[:2]))
    return pixels[top : top + stored[2], left : left + stored[3]]


def _stored_pixels(encoded, header, most_pixels, jpeg_window=None):
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
        with tf.control_dependencies([require((~is_animated, message))]):
            return tf.io.decode_image(tf.identity(encoded), expand_animations=False)

    # In the order of their numbers, see `image_header`.
    pixels = tf.switch_case(header.kind - 1, [jpeg, png, gif, bmp, webp])
    return tf.ensure_shape(pixels, [None, None, None])


# Traced once in a process, not in each pipeline.
@tf.function(autograph=False)
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
        with tf.control_dependencies([require((bits <= 8, message))]):
            values = tf.reshape(window(data, place + 8, 6), [3, 2])[:, 1]
        colour = tf.cast(values * 255 // (2**bits - 1), tf.uint8)[: tf.shape(image)[-1]]
        is_transparent = tf.reduce_all(image == colour, axis=-1, keepdims=True)
        return tf.concat([image, tf.where(is_transparent, tf.constant(0, tf.uint8), 255)], axis=-1)

    # Of grey and RGB one colour may be transparent, of which TensorFlow takes no notice.
    may_have_one = (colour_type == _PNG_GREY) | (colour_type == _PNG_COLOUR)
    place = tf.cond(may_have_one, find_transparent_colour, lambda: tf.size(data, tf.int64))
    return tf.cond(place < tf.size(data, tf.int64), with_alpha, lambda: image)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
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


def mirrored(orientation: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether an image is mirrored left to right, and top to bottom, after its axes were exchanged from 5 on.

    Args:
        orientation: 1 to 8, int32 scalar.
    """
    return tf.reduce_any(orientation == [2, 3, 6, 7]), tf.reduce_any(orientation == [3, 4, 7, 8])
