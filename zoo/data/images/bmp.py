"""BMP files inside a TensorFlow graph. TensorFlow's own operation takes the numbers of a palette for shades of grey."""

import tensorflow as tf

from lambda_keras.zoo.data.images.image_header import HEAD, numbers, window
from lambda_keras.zoo.data.images.requirement import require

# The size of the oldest header that has its numbers where all later ones have them, and of the first with an alpha.
_FIRST_HEADER, _HEADER_WITH_ALPHA = 40, 56
_PALETTES = (1, 4, 8)
_UNCOMPRESSED, _MASKS = 0, 3
# Of red, green and blue, where they are without masks too.
_BYTES = [0xFF0000, 0xFF00, 0xFF]
_ALPHA_BYTE = 0xFF000000
_REMEDY = "which is not read; save it as PNG"


# Traced once in a process, not in each pipeline.
@tf.function(autograph=False)
def decode_bmp(data: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Decodes a BMP file.

    Args:
        data: The bytes of the file and a zero, uint8 `[n + 1]`.
        height: Of its header, int64.
        width: The same.

    Returns:
        uint8 `[height, width, 3]`, or 4 where the file says that there is an alpha channel.

    Raises:
        tf.errors.InvalidArgumentError: It is compressed, has 16 bits a pixel, is of OS/2, or has too few bytes.
    """
    places = (10, 4), (14, 4), (22, 4), (28, 2), (30, 4), (46, 4), *((place, 4) for place in (54, 58, 62, 66))
    fields = numbers(window(data, 0, HEAD), *((*place, False) for place in places))
    start, header_size, signed_height, bits, compression, colours, *masks = fields
    has_masks = (compression == _MASKS) & (bits == 32) & tf.reduce_all(tf.stack(masks[:3]) == _BYTES)
    has_alpha = has_masks & (header_size >= _HEADER_WITH_ALPHA) & (masks[3] == _ALPHA_BYTE)
    has_palette = tf.reduce_any(bits == _PALETTES)
    is_read = (compression == _UNCOMPRESSED) | has_masks
    with tf.control_dependencies(
        [
            require(
                (header_size >= _FIRST_HEADER, f"a BMP file of OS/2, {_REMEDY}"),
                (
                    has_palette | (bits == 24) | (bits == 32),
                    tf.strings.join(["a BMP file of ", tf.as_string(bits), f" bits a pixel, {_REMEDY}"]),
                ),
                (is_read, f"a compressed BMP file, {_REMEDY}"),
            )
        ]
    ):
        row_length = (width * bits + 31) // 32 * 4
    # Where bytes are missing this fails. The last byte is not of the file.
    rows = tf.reshape(data[:-1][start : start + height * row_length], [height, row_length])
    rows = tf.cond(signed_height < 2**31, lambda: rows[::-1], lambda: rows)

    def colours_of_palette():
        # None are said where there are as many as can be.
        most = tf.bitwise.left_shift(tf.constant(1, tf.int64), bits)
        count = tf.where((colours == 0) | (colours > most), most, colours)
        palette = data[14 + header_size :][: 4 * count]
        palette = tf.reshape(tf.pad(palette, [[0, 4 * 256 - tf.size(palette)]]), [256, 4])[:, 2::-1]
        # The first pixel of a byte is in its highest bits.
        small_bits = tf.cast(bits, tf.uint8)
        shifts = tf.cast(tf.range(8 // bits - 1, -1, -1), tf.uint8) * small_bits
        indices = tf.bitwise.right_shift(rows[..., tf.newaxis], shifts)
        indices = tf.bitwise.bitwise_and(indices, tf.cast(most - 1, tf.uint8))
        return tf.gather(palette, tf.cast(tf.reshape(indices, [height, -1])[:, :width], tf.int32))

    def stored_colours():
        channels = bits // 8
        pixels = tf.reshape(rows[:, : width * channels], [height, width, channels])
        # Blue comes first.
        return tf.cond(has_alpha, lambda: tf.gather(pixels, [2, 1, 0, 3], axis=-1), lambda: pixels[..., 2::-1])

    return tf.cond(has_palette, colours_of_palette, stored_colours)
