import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_keras.zoo.data.images.resizing import resize
from lambda_keras.zoo.detection.data import jitter

SIZE = 32
PICTURE = np.random.default_rng(0).integers(0, 256, (30, 50, 3), "uint8")
BOXES = np.float64([[4, 2, 20, 10], [0, 0, 50, 30], [44.5, 25.25, 9, 9], [10, 10, 0.5, 0.25]])


def transcribed(picture, boxes, scale, shares):
    """What tf-models-official's `resize_and_crop_image` and `resize_and_crop_boxes` do, in NumPy, but for smoothing.

    Args:
        picture: uint8 `[height, width, 3]`.
        boxes: x, y, width and height.
        scale: Drawn between the smallest and the largest scale.
        shares: Drawn between 0 and 1: how far down and to the right the crop lies.
    """
    size = np.float32(picture.shape[:2])
    longer = np.round(np.float32(scale) * SIZE)
    scaled = np.round(size * np.min(longer / size)).astype(int)
    offset = (np.maximum(scaled - SIZE, 0) * shares).astype(int)
    resized = np.round(tf.image.resize(picture, scaled, antialias=True).numpy())
    seen = resized[offset[0] : offset[0] + SIZE, offset[1] : offset[1] + SIZE]
    image = np.zeros((SIZE, SIZE, 3))
    image[: seen.shape[0], : seen.shape[1]] = seen
    x, y, width, height = boxes.T
    corners = np.stack([y, x, y + height, x + width], axis=1) * np.tile(scaled / size, 2) - np.tile(offset, 2)
    return image, corners, seen.shape[:2]


@pytest.mark.parametrize("number", range(8))
def test_jitter_is_its_transcription(number):
    seed = tf.constant([5, number])
    scale_seed, offset_seed = tf.unstack(tf.random.split(seed, 2))
    scale = tf.random.stateless_uniform([], scale_seed, 0.1, 2.0).numpy()
    shares = tf.random.stateless_uniform([2], offset_seed).numpy()
    expected, corners, seen = transcribed(PICTURE, BOXES, scale, shares)

    placement = jitter.draw(tf.constant([30, 50]), SIZE, (0.1, 2.0), seed)
    image = resize(PICTURE, jitter.resizing(placement, SIZE))
    # Sums of another order round to another byte, now and then.
    assert np.abs(image.numpy() - expected).max() <= 1
    boxes, frames = jitter.place_boxes(tf.constant(BOXES), placement)
    np.testing.assert_allclose(frames, corners, atol=1e-4)
    np.testing.assert_allclose(boxes, np.clip(corners, 0, np.tile(seen, 2)), atol=1e-4)
    assert placement.content.numpy().tolist() == list(seen)


def test_scales_are_those_asked_for_and_every_part_is_seen():
    placements = [jitter.draw(tf.constant([100, 100]), 50, (0.1, 2.0), [1, n]) for n in range(200)]
    scales = [float(placement.scale[0]) * 2 for placement in placements]
    assert 0.1 <= min(scales) < 0.2
    assert 1.9 < max(scales) <= 2.0
    # At 2 up to 50 of 100 rows are cut off at the top.
    offsets = np.array([placement.offset for placement, scale in zip(placements, scales, strict=True) if scale > 1.8])
    assert offsets.min() < 10
    assert offsets.max() > 30


def test_a_strip_keeps_a_row():
    placement = jitter.draw(tf.constant([1, 4000]), SIZE, (0.1, 0.1), [0, 0])
    assert placement.content.numpy().tolist() == [1, 3]


def test_a_box_outside_of_the_crop_has_no_area():
    placement = jitter.Placement(tf.constant([2.0, 2.0]), tf.constant([10.0, 20.0]), tf.constant([32.0, 32.0]))
    boxes, frames = jitter.place_boxes(tf.constant([[0.0, 0, 10, 10], [5, 0, 10, 10]]), placement)
    assert frames.numpy().tolist() == [[-10, -20, 10, 0], [-10, -10, 10, 10]]
    assert boxes.numpy().tolist() == [[0, 0, 10, 0], [0, 0, 10, 10]]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**31))
def test_flipping_twice_changes_nothing(columns, seed):
    generator = np.random.default_rng(seed)
    image = np.zeros((12, 12, 3), "uint8")
    image[:, :columns] = generator.integers(1, 256, (12, columns, 3))
    once = jitter.flip_image(tf.constant(image), tf.constant(float(columns))).numpy()
    np.testing.assert_array_equal(once[:, :columns], image[:, :columns][:, ::-1])
    assert not once[:, columns:].any()
    np.testing.assert_array_equal(jitter.flip_image(tf.constant(once), tf.constant(float(columns))), image)
    # Whole numbers, so that nothing is rounded.
    boxes = generator.integers(0, 12, (5, 4)).astype("float32")
    twice = jitter.flip_boxes(jitter.flip_boxes(tf.constant(boxes), columns), columns)
    np.testing.assert_array_equal(twice, boxes)
    masks = generator.integers(0, 2, (5, 4, 6)).astype("uint8")
    np.testing.assert_array_equal(jitter.flip_masks(jitter.flip_masks(masks)), masks)


def test_boxes_and_masks_follow_the_picture():
    image = np.zeros((8, 8, 1), "uint8")
    image[2:5, 1:4, 0] = [[9, 0, 0], [9, 9, 0], [9, 9, 9]]
    flipped = jitter.flip_image(tf.constant(image), tf.constant(6.0)).numpy()[..., 0]
    ymin, xmin, ymax, xmax = jitter.flip_boxes(tf.constant([[2.0, 1, 5, 4]]), tf.constant(6.0)).numpy()[0].astype(int)
    mask = jitter.flip_masks(tf.constant(image[np.newaxis, 2:5, 1:4, 0] > 0)).numpy()[0]
    np.testing.assert_array_equal(flipped[ymin:ymax, xmin:xmax] > 0, mask)
    assert flipped.astype(bool).sum() == mask.sum()
