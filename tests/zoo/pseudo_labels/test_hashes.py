import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from lambda_keras.zoo.pseudo_labels import copies
from lambda_keras.zoo.pseudo_labels.hashes import Hashed, hash_all, hash_of, pixels_of
from lambda_keras.zoo.pseudo_labels.images import Found


def jpeg(picture, quality=92):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def hashed(images):
    return hash_all(Found(0, place, b"", image) for place, image in enumerate(images))


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: jpeg(picture.resize((100, 73))),
        lambda picture: jpeg(picture, quality=40),
        lambda picture: jpeg(ImageEnhance.Brightness(picture).enhance(1.2)),
        lambda picture: jpeg(ImageOps.mirror(picture)),
        lambda picture: jpeg(ImageOps.mirror(picture).resize((100, 73)), quality=40),
    ],
    ids=["halved", "re-encoded", "brightened", "mirrored", "mirrored, halved and re-encoded"],
)
def test_planted_copies_are_found_and_no_innocent_one(change, photographs):
    originals = [Image.fromarray(pixels) for pixels in photographs]
    evaluation = hashed(jpeg(picture) for picture in originals[:9])
    # Every second one of the evaluation images has a copy; the others and nine more are innocent.
    own = hashed([*(change(picture) for picture in originals[:9:2]), *map(jpeg, originals[9:])])
    found = copies.of_evaluation(own.hashes, evaluation.hashes)
    assert found.tolist() == [*range(0, 9, 2), *[copies.NONE] * 9]


def test_near_duplicates_are_found_among_all(photographs):
    originals = [Image.fromarray(pixels) for pixels in photographs]
    own = hashed([*map(jpeg, originals), *(jpeg(picture, quality=75) for picture in originals)])
    found = copies.of_each_other(own.hashes, np.linspace(1, 0.5, 36))
    assert found.tolist() == [copies.NONE] * 18 + list(range(18))


def test_small_images_have_exact_hashes_and_middling_ones_both(photo):
    for side, is_exact, is_perceptual in ((28, True, False), (64, True, True), (95, True, True), (96, False, True)):
        exact, _, _, perceptual = hash_of(photo(0, side, side + 30))
        assert (exact != b"", perceptual) == (is_exact, is_perceptual)
    digit = photo(1, 28, 28)
    changed = digit.copy()
    changed[5, 5, 0] ^= 1
    assert hash_of(digit) == hash_of(digit.copy()) != hash_of(changed)
    # The same bytes in another shape.
    assert hash_of(digit) != hash_of(digit.reshape(14, 56, 3))


def test_a_mirrored_image_has_the_hash_of_the_other_orientation(photo):
    pixels = photo(0, 128, 128)
    _, upright, mirrored, _ = hash_of(pixels)
    assert hash_of(pixels[:, ::-1].copy())[1:3] == (mirrored, upright)


def test_files_and_arrays_of_the_same_pixels_are_the_same(encode, photo):
    pixels = photo(0, 20, 20)[..., :1]
    png = encode(pixels.repeat(3, axis=-1), "PNG", "L")
    np.testing.assert_array_equal(pixels_of(png), pixels_of(pixels))
    assert pixels_of(pixels).shape == (20, 20, 3)


def test_what_cannot_be_decoded_is_counted_and_places_stay(encode, photo):
    found = [Found(2, 5, b"", encode(photo(0))), Found(2, 6, b"", b"garbage"), Found(3, 0, b"", encode(photo(1)))]
    result = hash_all(found)
    assert (result.shards.tolist(), result.places.tolist(), result.unreadable) == ([2, 3], [5, 0], 1)
    assert len(Hashed.of([]).hashes.exact) == 0
