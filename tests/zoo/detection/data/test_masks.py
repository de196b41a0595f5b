import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_masks
from scipy import ndimage

from lambda_keras.zoo.detection.data import masks
from tests.zoo.detection.conftest import decode, run_lengths

HEIGHT, WIDTH = 23, 31
GENERATOR = np.random.default_rng(0)
MASK = GENERATOR.integers(0, 2, (HEIGHT, WIDTH)).astype("uint8")
COUNTS = coco_masks.encode(np.asfortranarray(MASK))["counts"]
side = st.floats(0.5, 30)
place = st.floats(-5, 20)


def centres(start, length, count):
    """Places of the centres of cells, in SciPy's numbers, where a pixel is at its centre."""
    return start + (np.arange(count) + 0.5) * length / count - 0.5


@settings(max_examples=30, deadline=None)
@given(place, place, side, side)
def test_a_crop_is_scipys_interpolation_at_the_centres_of_the_cells(x, y, width, height):
    size = masks.MASK_SIZE
    at = np.meshgrid(centres(y, height, size), centres(x, width, size), indexing="ij")
    values = ndimage.map_coordinates(MASK.astype("float64"), at, order=1, mode="nearest")
    packed = zlib.decompress(masks.crop(COUNTS, HEIGHT, WIDTH, (x, y, width, height)))
    bits = np.unpackbits(np.frombuffer(packed, "uint8"))
    undecided = np.abs(values - 0.5) < 1e-9
    np.testing.assert_array_equal(bits.reshape(size, size)[~undecided], (values > 0.5)[~undecided])


def test_unpacking_undoes_packing():
    boxes = [(0, 0, 10, 10), (3.5, 2, 8, 20), (0, 0, WIDTH, HEIGHT)]
    crops = [masks.crop(COUNTS, HEIGHT, WIDTH, box) for box in boxes]
    unpacked = masks.unpack(tf.constant(crops))
    assert (unpacked.dtype, unpacked.shape) == (tf.uint8, (3, 112, 112))
    for crop, bits in zip(crops, unpacked.numpy(), strict=True):
        expected = np.unpackbits(np.frombuffer(zlib.decompress(crop), "uint8")).reshape(112, 112)
        np.testing.assert_array_equal(bits, expected)


def test_no_masks_unpack_to_none():
    assert masks.unpack(tf.constant([], tf.string)).shape == (0, 112, 112)


def test_a_crop_that_would_unpack_to_very_much_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="a mask that is too long"):
        masks.unpack(tf.constant([zlib.compress(bytes(10**8))]))


@settings(max_examples=30, deadline=None)
@given(place, place, side, side)
def test_a_pasted_mask_is_scipys_interpolation_at_the_centres_of_the_pixels(xmin, ymin, width, height):
    mask = np.random.default_rng(1).random((7, 9)).astype("float32")
    box = np.array([ymin, xmin, ymin + height, xmin + width])
    rows = (np.arange(HEIGHT) + 0.5 - ymin) * 7 / height - 0.5
    columns = (np.arange(WIDTH) + 0.5 - xmin) * 9 / width - 0.5
    at = np.meshgrid(rows, columns, indexing="ij")
    values = ndimage.map_coordinates(mask.astype("float64"), at, order=1, mode="grid-constant")
    pasted = decode(masks.paste(mask, box, HEIGHT, WIDTH), HEIGHT, WIDTH)
    undecided = np.abs(values - 0.5) < 1e-4
    np.testing.assert_array_equal(pasted[~undecided], (values > 0.5)[~undecided])


def test_a_full_mask_fills_its_box_and_nothing_else():
    pasted = decode(masks.paste(np.ones([28, 28]), np.array([3, 5, 9, 25]), HEIGHT, WIDTH), HEIGHT, WIDTH)
    expected = np.zeros((HEIGHT, WIDTH))
    expected[3:9, 5:25] = 1
    np.testing.assert_array_equal(pasted, expected)


@pytest.mark.parametrize("box", [[30, 40, 35, 50], [-9, -9, -1, -1], [4, 4, 4, 4]])
def test_a_box_that_shows_nothing_has_an_empty_mask(box):
    assert not decode(masks.paste(np.ones([28, 28]), np.array(box), HEIGHT, WIDTH), HEIGHT, WIDTH).any()


def test_a_mask_survives_being_cut_out_and_pasted_back():
    disc = (np.hypot(*np.mgrid[-20:20, -30:30] + 0.5) < 15).astype("uint8")
    counts = coco_masks.encode(np.asfortranarray(disc))["counts"]
    crop = masks.unpack(tf.constant([masks.crop(counts, 40, 60, (15, 5, 30, 30))]))[0].numpy()
    pasted = decode(masks.paste(crop, np.array([5, 15, 35, 45]), 40, 60), 40, 60)
    assert (pasted & disc).sum() / (pasted | disc).sum() > 0.98


def test_run_lengths_are_the_mask_they_were_made_of():
    segmentation = {"size": [HEIGHT, WIDTH], "counts": run_lengths(MASK)}
    counts = masks.encode(segmentation, HEIGHT, WIDTH)
    np.testing.assert_array_equal(decode(counts, HEIGHT, WIDTH), MASK)
    segmentation["counts"] = counts.decode()
    assert masks.encode(segmentation, HEIGHT, WIDTH) == counts


def test_polygons_are_the_union_of_theirs():
    rectangles = [[2, 3, 10, 3, 10, 7, 2, 7], [8, 5, 20, 5, 20, 21, 8, 21]]
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[3:7, 2:10] = expected[5:21, 8:20] = True
    np.testing.assert_array_equal(decode(masks.encode(rectangles, HEIGHT, WIDTH), HEIGHT, WIDTH), expected)


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        "text",
        [],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5, 6, 7]],
        [[1, 2, 3, 4, 5, float("nan")]],
        [[1, 2, 3, 4, 5, 1e12]],
        [[1, 2, 3, 4, 5, True]],
        [1, 2, 3, 4, 5, 6],
        {"size": [HEIGHT, WIDTH]},
        {"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]},
        {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH, 1]},
        {"size": [HEIGHT, WIDTH], "counts": [-1, HEIGHT * WIDTH + 1]},
        {"size": [HEIGHT, WIDTH], "counts": [1.5]},
        {"size": [HEIGHT, WIDTH], "counts": "é"},
        {"size": [HEIGHT, WIDTH], "counts": ""},
        {"size": [HEIGHT, WIDTH], "counts": "P" * 1_000_000},
        {"size": [HEIGHT, WIDTH], "counts": "PPYYYY1000"},
        {"size": [HEIGHT, WIDTH], "counts": " "},
    ],
)
def test_what_is_no_mask_of_the_picture_is_refused(segmentation):
    with pytest.raises(ValueError, match=r".+"):
        masks.encode(segmentation, HEIGHT, WIDTH)


def test_a_last_number_that_is_cut_off_is_refused():
    # Behind it COCO's tools read on in memory that is not the text's.
    assert masks.encode({"size": [2, 2], "counts": "04"}, 2, 2) == b"04"
    with pytest.raises(ValueError, match="last number is cut off"):
        masks.encode({"size": [2, 2], "counts": "04P"}, 2, 2)


def test_a_polygon_may_not_be_longer_than_an_outline_can_be():
    side = 4000
    back_and_forth = [value for number in range(600) for value in (side * (number % 2), number)]
    with pytest.raises(ValueError, match="an outline of more than 2,000,000 pixels"):
        masks.encode([back_and_forth], side, side)
    assert masks.encode([back_and_forth[:200]], side, side)
