"""What every image goes through, in training, evaluation and prediction alike: decoding and resizing."""

import tensorflow as tf

_PNG = b"\x89PNG"


def decode(encoded, channels):
    """Decodes a JPEG, PNG, BMP or GIF file (of an animation the first frame).

    Args:
        encoded: Scalar string, the bytes of the file; a decoded image stays as it is.
        channels: 1, 3 or 4. Grey becomes RGB and RGB grey where the file has the other. A transparent PNG is laid over
            white, unless there are 4.

    Returns:
        uint8 `[height, width, channels]`.

    Raises:
        tf.errors.InvalidArgumentError: The file is damaged or of another kind.
    """
    encoded = tf.convert_to_tensor(encoded)
    if encoded.dtype != tf.string:
        return encoded
    if channels == 4:
        return _with_shape(tf.io.decode_image(encoded, channels=4, expand_animations=False), 4)
    # Only of PNG files: the fourth channel of a BMP file often has nothing in it.
    is_png = tf.strings.substr(encoded, 0, len(_PNG)) == _PNG
    image = tf.cond(is_png, lambda: _decode_png(encoded, channels), lambda: _decode_others(encoded, channels))
    return _with_shape(image, channels)


def _decode_png(encoded, channels):
    image = tf.io.decode_png(encoded, channels=0)
    is_transparent = tf.shape(image)[-1] % 2 == 0
    image = tf.cond(is_transparent, lambda: _over_white(image), lambda: image)
    if channels == 1:
        return _grey(image)
    return tf.cond(tf.shape(image)[-1] == 3, lambda: image, lambda: tf.repeat(image, 3, axis=-1))


def _over_white(image):
    """Beneath what is transparent there is any colour, mostly black: drawings would be black on black."""
    pixels = tf.cast(image, tf.float32)
    opacity = pixels[..., -1:] / 255
    return _to_bytes(pixels[..., :-1] * opacity + 255 * (1 - opacity))


def _decode_others(encoded, channels):
    if channels == 1:
        # TensorFlow converts only some kinds of files to grey itself.
        return _grey(tf.io.decode_image(encoded, channels=0, expand_animations=False))
    return tf.io.decode_image(encoded, channels=channels, expand_animations=False)


def _grey(image):
    has_colour = tf.shape(image)[-1] >= 3
    return tf.cond(has_colour, lambda: tf.image.rgb_to_grayscale(image[..., :3]), lambda: image[..., :1])


def evaluation_crop(image, image_size, share, interpolation):
    """Resizes an image so that `share` of the shorter side becomes `image_size`, and keeps the square in the middle.

    Rounds as timm does, so that weights from there see the images they were measured with. Only what is kept is
    computed: a long strip of an image would fill the memory.

    Args:
        image: uint8 `[height, width, channels]` of any size.
        image_size: Side of the result in pixels.
        share: The recipe's `evaluation_crop`, above 0 and up to 1.
        interpolation: `bilinear` or `bicubic`.

    Returns:
        uint8 `[image_size, image_size, channels]`.
    """
    shorter = int(image_size / share)
    size = tf.shape(image)[:2]
    resized = tf.maximum(size * shorter // tf.reduce_min(size), shorter)
    corner = tf.round((resized - image_size) / 2)
    # What tf.image.resize with antialiasing does, with a translation.
    squares = tf.raw_ops.ScaleAndTranslate(
        images=image[tf.newaxis],
        size=[image_size, image_size],
        scale=tf.cast(resized / size, tf.float32),
        translation=-tf.cast(corner, tf.float32),
        kernel_type={"bilinear": "triangle", "bicubic": "keyscubic"}[interpolation],
        antialias=True,
    )
    return _to_bytes(squares[0])


def resize(image, size, interpolation):
    """Resizes an image, with antialiasing where it becomes smaller.

    Args:
        image: uint8 `[height, width, channels]`.
        size: The new height and width.
        interpolation: `bilinear` or `bicubic`.

    Returns:
        uint8 `[*size, channels]`.
    """
    return _to_bytes(tf.image.resize(image, size, interpolation, antialias=True))


def _to_bytes(image):
    # Bicubic overshoots at edges, so saturate_cast has to clip.
    return tf.saturate_cast(tf.round(image), tf.uint8)


def _with_shape(image, channels):
    return tf.ensure_shape(image, [None, None, channels])
