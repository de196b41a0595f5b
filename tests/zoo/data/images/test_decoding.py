import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from lambda_keras.zoo.data.images import colours, decoding, resizing

CHANNELS = (1, 3, 4)
HEIGHT, WIDTH = 10, 13


def by_pillow(encoded, channels):
    """What Pillow makes of a file: upright, over white, with the channels."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded)))
    if image.mode.startswith("I"):
        # Pillow clips 16 bits to 255, where all others take the upper eight.
        image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if channels != 4:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    # By way of RGB: of two and more conversions to grey, Pillow has one for each mode.
    image = image.convert("RGBA") if channels == 4 else image.convert("RGB")
    pixels = np.asarray(image.convert("L") if channels == 1 else image)
    return pixels.reshape(*pixels.shape[:2], channels)


def assert_equals_pillow(encoded, *what):
    for channels in CHANNELS:
        decoded = decoding.decode(encoded, channels).numpy()
        assert decoded.dtype == np.uint8
        np.testing.assert_array_equal(decoded, by_pillow(encoded, channels), str((*what, channels)))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(mode):
    """A noisy image of a mode of Pillow."""
    rgba = noise(HEIGHT, WIDTH, 4)
    rgba[:3, :, 3], rgba[3:5, :, 3] = 0, 255
    if mode == "P":
        return Image.fromarray(rgba[..., :3]).quantize(11)
    return Image.fromarray(rgba).convert(mode)


SAVED_BY_PILLOW = [
    *(("PNG", mode, {}) for mode in ("1", "L", "LA", "RGB", "RGBA", "P")),
    *(("PNG", "P", {"bits": bits}) for bits in (4, 8)),
    ("PNG", "P", {"transparency": 3}),
    ("PNG", "P", {"transparency": bytes([0, 100, 200, 255, 7])}),
    ("PNG", "L", {"transparency": 180}),
    ("PNG", "1", {"transparency": 1}),
    ("PNG", "1", {"transparency": 0}),
    ("PNG", "RGB", {"transparency": (43, 7, 201)}),
    *(("BMP", mode, {}) for mode in ("1", "L", "RGB", "RGBA", "P")),
    *(("GIF", mode, {}) for mode in ("1", "L", "RGB", "P")),
    ("GIF", "P", {"transparency": 3}),
    ("GIF", "P", {"transparency": 0, "interlace": 0}),
    *(("JPEG", mode, {}) for mode in ("1", "L", "RGB", "CMYK")),
    ("JPEG", "RGB", {"progressive": True, "quality": 100, "subsampling": 0}),
    ("JPEG", "CMYK", {"progressive": True}),
    *(("WEBP", mode, {"lossless": lossless}) for mode in ("L", "RGB", "RGBA") for lossless in (False, True)),
]


def test_every_file_that_pillow_writes():
    for kind, mode, options in SAVED_BY_PILLOW:
        assert_equals_pillow(saved(picture(mode), kind, **options), kind, mode, options)


def png(bits, colour_type, chunks=(), interlace=0, seed=0):
    """A PNG file of noise of any kind that there is."""
    values = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    row = -(-WIDTH * values * bits // 8)
    if interlace:
        starts = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
        sizes = [(-(-(HEIGHT - top) // down), -(-(WIDTH - left) // right)) for top, left, down, right in starts]
        lines = [-(-width * values * bits // 8) for height, width in sizes for _ in range(height) if width]
    else:
        lines = [row] * HEIGHT
    pixels = b"".join(b"\0" + noise(line, seed=seed + number).tobytes() for number, line in enumerate(lines))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour_type, 0, 0, interlace)
    chunks = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


PALETTE = (b"PLTE", noise(256, 3).tobytes())
PNG_KINDS = [
    *((bits, 0, ()) for bits in (1, 2, 4, 8, 16)),
    *((bits, 2, ()) for bits in (8, 16)),
    *((bits, 3, ((b"PLTE", PALETTE[1][: 3 * 2**bits]),)) for bits in (1, 2, 4, 8)),
    (4, 3, ((b"PLTE", PALETTE[1][:48]), (b"tRNS", bytes([0, 9, 200])))),
    *((bits, colour_type, ()) for bits in (8, 16) for colour_type in (4, 6)),
    (1, 0, ((b"tRNS", bytes([0, 1])),)),
]


def test_every_png():
    for bits, colour_type, chunks in PNG_KINDS:
        for interlace in (0, 1):
            encoded = png(bits, colour_type, chunks, interlace)
            assert_equals_pillow(encoded, bits, colour_type, chunks, interlace)


@pytest.mark.parametrize("bits", [2, 4])
def test_a_transparent_grey_of_few_bits(bits):
    """Pillow compares its value with those of eight bits; the standard does not."""
    shades = by_pillow(png(bits, 0), 1)
    decoded = decoding.decode(png(bits, 0, [(b"tRNS", bytes([0, 1]))]), 4).numpy()
    np.testing.assert_array_equal(decoded[..., :1], shades)
    np.testing.assert_array_equal(decoded[..., 3:], np.where(shades == 255 // (2**bits - 1), 0, 255))


def bmp(bits, compression=0, header=40, palette=None, top_down=False, masks=()):
    row = (WIDTH * bits + 31) // 32 * 4
    colours = b"" if bits > 8 else noise(2**bits if palette is None else palette, 4, seed=1).tobytes()
    extra = struct.pack("<4I", *masks)[: 16 if header > 40 else 12] if masks else b""
    content = extra.ljust(header - 40, b"\0") + colours
    start = 14 + 40 + len(content)
    pixels = noise(HEIGHT, row)
    if palette:
        pixels %= palette
    height = -HEIGHT if top_down else HEIGHT
    info = struct.pack(
        "<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, pixels.size, 2835, 2835, palette or 0, 0
    )
    return b"BM" + struct.pack("<IHHI", start + pixels.size, 0, 0, start) + info + content + pixels.tobytes()


MASKS = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def test_every_bmp():
    kinds = [{"bits": bits, "top_down": top_down} for bits in (1, 4, 8, 24, 32) for top_down in (False, True)]
    kinds += [{"bits": 8, "palette": 5}, {"bits": 32, "compression": 3, "masks": MASKS}]
    kinds += [{"bits": 32, "compression": 3, "masks": MASKS, "header": 124}]
    for options in kinds:
        assert_equals_pillow(bmp(**options), options)


def bmp_of_os2():
    """Its header has 12 bytes, with numbers of two; where later ones say their bits, there are pixels."""
    pixels = noise(HEIGHT, (3 * WIDTH + 3) // 4 * 4).tobytes()
    return (
        b"BM"
        + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26)
        + struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
        + pixels
    )


def test_what_is_not_read_is_refused_by_name():
    animation = io.BytesIO()
    picture("RGB").save(animation, "WEBP", save_all=True, append_images=[picture("L")], lossless=True)
    refused = [
        (bmp(16), "a BMP file of 16 bits"),
        (bmp(8, compression=1), "a compressed BMP file"),
        (bmp(32, compression=3, masks=(0xFF, 0xFF00, 0xFF0000, 0)), "a compressed BMP file"),
        (bmp_of_os2(), "a BMP file of OS/2"),
        (png(16, 0, [(b"tRNS", b"\0\1")]), "a PNG file of 16 bits with a transparent colour"),
        (animation.getvalue(), "an animated WebP file"),
        (bmp(24)[:-5], "damaged, or not a JPEG, PNG, BMP, GIF or WebP file"),
        (png(8, 2)[:99], "damaged"),
        (b"", "damaged"),
        (b"hello", "damaged"),
        (b"\xff\xd8\xff\xe0garbage", "damaged"),
        *((saved(picture("P"), "GIF")[:size], "damaged") for size in (6, 13, 29, -20)),
    ]
    for encoded, message in refused:
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            decoding.decode(encoded, 3)
        assert decoding.why(error.value).startswith(message)


def gif(extensions=b"", screen=(WIDTH, HEIGHT), corner=(0, 0), own_colours=False):
    """A GIF file whose picture may be anywhere on its screen."""
    image = picture("P")
    content = saved(image, "GIF")
    start = content.index(b",\0\0\0\0" + struct.pack("<HH", WIDTH, HEIGHT))
    colours = content[13 : 13 + 3 * 2 ** (content[10] % 8 + 1)]
    data = content[start + 10 :]
    flags = content[10] if not own_colours else 0
    own = bytes([0x80 | content[10] % 8]) + colours if own_colours else b"\0"
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, flags, 0, 0) + (b"" if own_colours else colours)
    return head + extensions + b"," + struct.pack("<HHHH", *corner, WIDTH, HEIGHT) + own + data


CONTROL = b"!\xf9\x04\x01\0\0\x03\0"
COMMENT = b"!\xfe" + b"".join(bytes([length]) + b"," * length for length in (200, 7, 0))


def test_a_gif_fills_its_screen():
    screens = [((WIDTH, HEIGHT), (0, 0)), ((20, 30), (4, 9)), ((8, 8), (2, 1))]
    for own_colours in (False, True):
        for extensions in (b"", COMMENT + CONTROL + COMMENT):
            for screen, corner in screens:
                encoded = gif(extensions, screen, corner, own_colours)
                assert_equals_pillow(encoded, own_colours, extensions, screen)


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.fromarray(noise(8, 9, 3, seed=seed)).quantize(32).convert("RGB") for seed in range(3)]
    assert_equals_pillow(saved(frames[0], kind, save_all=True, append_images=frames[1:]))


def exif(orientation, order="<"):
    """EXIF data with two other entries around the orientation."""
    begin = b"II*\0" if order == "<" else b"MM\0*"
    entries = ((0x0100, 3, 1, 7), (0x0112, 3, 1, orientation), (0x0128, 3, 1, 2))
    packed = b"".join(struct.pack(order + "HHIHH", *entry, 0) for entry in entries)
    return begin + struct.pack(order + "IH", 8, len(entries)) + packed + bytes(4)


def with_exif(kind, orientation, order):
    image = picture("RGB")
    options = {"JPEG": {"quality": 95}, "PNG": {}, "WEBP": {"lossless": True}}[kind]
    return saved(image, kind, exif=b"Exif\0\0" + exif(orientation, order), **options)


def test_images_are_turned_upright():
    """0 and 9 are none, as in Pillow."""
    for orientation in range(10):
        for kind, order in (("JPEG", "<"), ("JPEG", ">"), ("PNG", ">"), ("WEBP", "<")):
            assert_equals_pillow(with_exif(kind, orientation, order), orientation, kind, order)


def test_exif_after_the_pixels_and_behind_other_parts():
    content = png(8, 2)
    end = len(content) - 12
    chunk = b"eXIf" + exif(6)
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert_equals_pillow(content[:end] + chunk + content[end:])
    jpeg = with_exif("JPEG", 6, "<")
    comment = b"\xff\xfe\x00\x09comment"
    assert_equals_pillow(jpeg[:2] + comment + b"\xff\xff" + comment + jpeg[2:])


def test_damaged_exif_turns_nothing():
    for orientation in (3, 6):
        jpeg = with_exif("JPEG", orientation, "<")
        for wrong in (b"XX", b"II+\0", b"II*\0\xff\xff\xff\xff"):
            damaged = jpeg.replace(b"II*\0\x08\0\0\0"[: len(wrong)], wrong, 1)
            assert decoding.decode(damaged, 3).shape == (HEIGHT, WIDTH, 3)


def test_what_is_too_large_is_refused_by_its_header():
    image = Image.new("RGB", (50, 21))
    files = [saved(image, kind) for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP")]
    files += [saved(image, "WEBP", lossless=True), saved(image.convert("RGBA"), "WEBP", exif=exif(1))]
    for encoded in files:
        assert decoding.decode(encoded, 3, 50 * 21).shape == (21, 50, 3)
        with pytest.raises(tf.errors.InvalidArgumentError) as refused:
            decoding.decode(encoded, 3, 50 * 21 - 1)
        assert decoding.why(refused.value) == "50x21 pixels, over the limit of 1,049"


def test_nothing_is_decoded_of_what_is_too_large():
    """The pixels are not there: who would decode it would find the file damaged."""
    with pytest.raises(tf.errors.InvalidArgumentError) as refused:
        decoding.decode(png(8, 2)[:60], 3, 100)
    assert decoding.why(refused.value) == f"{WIDTH}x{HEIGHT} pixels, over the limit of 100"


def test_a_picture_beyond_the_screen_of_a_gif_counts():
    encoded = gif(screen=(2, 2), corner=(100, 100))
    assert decoding.decode(encoded, 3, 20_000).shape == (110, 113, 3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoding.decode(encoded, 3, 10_000)


def as_it_is(shape):
    """Of a window of 5 by 6 pixels, itself."""
    return resizing.whole(shape, (5, 6), "bilinear")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_window_of_an_upright_image(kind):
    """Of a JPEG file only this part is decoded; its colours have all places, so that nothing is guessed at an edge."""
    window = tf.constant([2, 1, 5, 6])

    @tf.function
    def decode(encoded):
        return decoding.decode_and_resize(encoded, 3, 1000, as_it_is, lambda shape: window)

    for orientation in range(1, 9):
        options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
        encoded = saved(picture("RGB"), kind, exif=exif(orientation), **options)
        np.testing.assert_array_equal(decode(tf.constant(encoded)), by_pillow(encoded, 3)[2:7, 1:7])


def test_large_images_become_narrow_block_by_block(monkeypatch):
    def plan(shape):
        return resizing.middle(shape, 6, 0.8, "bicubic")

    for colour_type in (2, 4):
        encoded = tf.constant(png(8, colour_type))
        whole = tf.function(decoding.decode_and_resize)(encoded, 3, 1000, plan)
        with monkeypatch.context() as patch:
            patch.setattr(colours, "_BLOCK", 40)
            patch.setattr(decoding, "LARGE_PIXELS", HEIGHT * WIDTH - 1)
            # A sum halfway between two bytes may round to either.
            np.testing.assert_allclose(tf.function(decoding.decode_and_resize)(encoded, 3, 1000, plan), whole, atol=1)


def test_decoded_images_stay_as_they_are():
    image = tf.constant(noise(4, 5, 3))
    assert decoding.decode(image, 3) is image
