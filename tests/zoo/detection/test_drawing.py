import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_masks

from lambda_keras.zoo.detection import drawing
from lambda_keras.zoo.detection.drawing import Drawn

GREY = np.full((60, 90, 3), 128, "uint8")


def test_a_box_is_drawn_around_its_object_and_a_mask_in_it():
    mask = np.zeros((60, 90), "uint8")
    mask[25:35, 40:60] = 1
    encoded = coco_masks.encode(np.asfortranarray(mask))
    pixels = np.asarray(drawing.draw(GREY, [Drawn((20, 30, 50, 70), "", 1, encoded)]))
    colour = np.array(drawing.colour(1))
    np.testing.assert_array_equal(pixels[20, 30:71], np.tile(colour, (41, 1)))
    np.testing.assert_array_equal(pixels[20:51, 70], np.tile(colour, (31, 1)))
    mixed = np.round(128 * (1 - drawing.OPACITY) + colour * drawing.OPACITY)
    np.testing.assert_array_equal(pixels[30, 50], mixed)
    np.testing.assert_array_equal(pixels[40, 50], [128] * 3)
    assert (pixels[:18] == 128).all()
    assert (pixels[:, :28] == 128).all()


def test_the_picture_that_is_given_stays_as_it_is():
    before = GREY.copy()
    drawing.draw(GREY, [Drawn((0, 0, 60, 90), "all", 2, coco_masks.encode(np.ones((60, 90), "uint8", order="F")))])
    np.testing.assert_array_equal(GREY, before)


@pytest.mark.parametrize("name", ["猫", "сова", "بومة", "کتاب", "한국어", "🦉", "$x^2$", "", "x" * 500, "\ud800"])
def test_names_in_all_scripts_are_drawn(name):
    drawing.draw(GREY, [Drawn((5, 5, 30, 30), f"{name} 97%", 3, None)])


@given(
    st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 4),
    st.integers(1, 100_000),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_boxes_anywhere_are_drawn_on_pictures_of_any_size(box, label, size):
    image = drawing.draw(np.zeros((*size, 3), "uint8"), [Drawn(box, "owl", label, None)])
    assert image.size == size[::-1]


def test_a_sheet_has_a_cell_for_each_picture():
    images = [Image.new("RGB", size, "black") for size in ((10, 10), (400, 100), (30, 90))]
    sheet = drawing.sheet(images, columns=2, side=50)
    assert sheet.size == (2 * 54 + 4, 2 * 54 + 4)
    pixels = np.asarray(sheet)
    assert (pixels[4:14, 4:14] == 0).all()
    assert (pixels[4:16, 58:108] == 0).all()
    assert (pixels[58:108, 4:20] == 0).all()
