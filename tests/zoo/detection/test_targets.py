import numpy as np
import tensorflow as tf

from lambda_keras.zoo.detection.sampling import seeds_of_images
from lambda_keras.zoo.detection.targets import mask_targets, match_anchors, match_regions

NONE = (-1, -1, -1, -1)
ANCHORS = tf.constant(
    [[0, 0, 10, 10], [0, 0, 10, 20], [20, 20, 40, 40], [20, 20, 40, 38], [50, 50, 60, 60]], tf.float32
)


def encoded(box, anchor):
    """Where a box is relative to an anchor, as in the R-CNN papers."""
    box, anchor = np.asarray(box, float), np.asarray(anchor, float)
    sides, anchor_sides = box[2:] - box[:2], anchor[2:] - anchor[:2]
    shift = (box[:2] + box[2:] - anchor[:2] - anchor[2:]) / 2
    return np.concatenate([shift / anchor_sides, np.log(sides / anchor_sides)])


def match(*objects):
    return match_anchors(ANCHORS, tf.constant([objects], tf.float32), 0.3, 0.7)


def test_anchors_with_much_overlap_are_positive_and_with_little_negative():
    # Overlaps with the five: 0, 0, 0.9, 1, 0; and 100/150 and 150/200 of the second object.
    found = match((20, 20, 40, 38), (0, 0, 10, 15), NONE)
    np.testing.assert_array_equal(found.positive[0], [False, True, True, True, False])
    np.testing.assert_array_equal(found.negative[0], [False, False, False, False, True])
    np.testing.assert_array_equal(found.objects[0, 1:4], [1, 0, 0])
    expected = [
        np.zeros(4),
        encoded((0, 0, 10, 15), ANCHORS[1]),
        encoded((20, 20, 40, 38), ANCHORS[2]),
        np.zeros(4),
        np.zeros(4),
    ]
    np.testing.assert_allclose(found.boxes[0], expected, atol=1e-6)


def test_an_object_has_its_best_anchor_however_little_they_overlap():
    found = match((58, 58, 68, 68))
    np.testing.assert_array_equal(found.positive[0], [False] * 4 + [True])
    np.testing.assert_allclose(found.boxes[0, 4], encoded((58, 58, 68, 68), ANCHORS[4]), atol=1e-6)


def test_of_two_objects_with_the_same_best_anchor_the_first_has_it():
    found = match((52, 52, 58, 58), (51, 51, 58, 58))
    assert found.positive[0, 4]
    assert found.objects[0, 4] == 0


def test_rows_without_an_object_and_objects_without_area_have_no_anchor():
    found = match(NONE, (5, 5, 5, 9), (100, 100, 110, 110), NONE)
    assert not found.positive.numpy().any()
    assert found.negative.numpy().all()
    assert not found.boxes.numpy().any()


def regions_of(proposals, objects, classes, count=8):
    return match_regions(
        tf.constant([proposals], tf.float32),
        tf.constant([objects], tf.float32),
        tf.constant([classes]),
        count,
        seeds_of_images(tf.constant([0, 0]), tf.range(1)),
    )


def test_regions_are_objects_and_background():
    # Overlaps with the first object: 0.8, 0.4 and 0; the others are none.
    proposals = [(0, 0, 8, 10), (0, 0, 4, 10), (30, 30, 40, 40), *[(0, 0, 0, 0)] * 6]
    found = regions_of(proposals, [(0, 0, 10, 10), NONE, (60, 60, 80, 80)], [5, -1, 2], count=12)
    is_drawn, regions, classes = found.is_drawn[0].numpy(), found.regions[0].numpy(), found.classes[0].numpy()
    # Of twelve, a quarter may be objects: one proposal and the objects' own boxes.
    assert is_drawn.tolist() == [True] * 5 + [False] * 7
    drawn = {tuple(region): label for region, label in zip(regions[:5].tolist(), classes[:5], strict=True)}
    assert drawn == {(0, 0, 8, 10): 5, (0, 0, 10, 10): 5, (60, 60, 80, 80): 2, (0, 0, 4, 10): 0, (30, 30, 40, 40): 0}
    assert (classes[:3] > 0).all()
    assert not classes[3:].any()
    assert not found.boxes[0, 3:].numpy().any()
    for region, row, numbers in zip(regions[:3], found.objects[0].numpy(), found.boxes[0].numpy(), strict=False):
        box = ((0, 0, 10, 10), None, (60, 60, 80, 80))[row]
        np.testing.assert_allclose(numbers, encoded(box, region) * [10, 10, 5, 5], atol=1e-5)


def test_a_picture_without_objects_is_background():
    found = regions_of([(0, 0, 8, 10), (0, 0, 4, 10), (30, 30, 40, 40)], [NONE, NONE], [-1, -1], count=4)
    assert found.is_drawn.numpy().tolist() == [[True, True, True, False]]
    assert not found.classes.numpy().any()
    assert np.isfinite(found.boxes.numpy()).all()


def test_no_gradient_goes_through_proposals():
    proposals = tf.Variable([[[0.0, 0, 8, 10], [3, 3, 9, 9]]])
    seeds = seeds_of_images(tf.constant([0, 0]), tf.range(1))
    with tf.GradientTape() as tape:
        found = match_regions(proposals, tf.constant([[[0.0, 0, 10, 10]]]), tf.constant([[1]]), 2, seeds)
        total = tf.reduce_sum(found.boxes) + tf.reduce_sum(found.regions)
    assert tape.gradient(total, proposals) is None


def numpy_mask(mask, frame, region, size):
    """Bilinear interpolation between the centres of a mask's pixels, with nothing outside of its frame."""
    side = len(mask)
    padded = np.pad(mask.astype(float), 1)
    rows, columns = (
        np.clip(
            (region[axis] + (np.arange(size) + 0.5) * (region[axis + 2] - region[axis]) / size - frame[axis])
            * side
            / (frame[axis + 2] - frame[axis])
            + 0.5,
            0,
            side + 1,
        )
        for axis in (0, 1)
    )

    def weights(places):
        return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(side + 2)))

    return weights(rows) @ padded @ weights(columns).T


def test_masks_are_cropped_as_by_numpy():
    random = np.random.default_rng(0)
    masks = random.integers(0, 2, (1, 3, 16, 16)).astype(np.uint8)
    frames = np.array([[(0, 0, 40, 30), (-20, 10, 30, 50), (5, 5, 6, 6)]], np.float32)
    # Inside of a frame, half outside, a part of it, all of it and more.
    regions = np.array([[(10, 5, 30, 20), (-5, 20, 45, 70), (5.2, 5.1, 5.6, 5.9), (-20, 0, 40, 60)]], np.float32)
    objects = np.array([[0, 1, 2, 1]], np.int32)
    found = mask_targets(regions, objects, np.ones_like(objects), masks, frames, 7).numpy()
    for place, row in enumerate(objects[0]):
        expected = numpy_mask(masks[0, row], frames[0, row], regions[0, place], 7)
        np.testing.assert_allclose(found[0, place], expected, atol=1e-4)


def test_a_region_that_is_the_frame_has_the_whole_mask():
    mask = np.zeros((1, 1, 112, 112), np.uint8)
    mask[:, :, 28:56, :84] = 1
    box = np.array([[(8, 8, 36, 64)]], np.float32)
    found = mask_targets(box, np.zeros((1, 1), np.int32), np.ones((1, 1), np.int32), mask, box, 28).numpy()[0, 0]
    expected = np.zeros((28, 28))
    expected[7:14, :21] = 1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_masks_of_the_background_are_finite():
    frames = np.full((1, 2, 4), -1, np.float32)
    regions = np.array([[(0, 0, 9, 9), (0, 0, 0, 0)]], np.float32)
    zeros = np.zeros((1, 2), np.int32)
    assert np.isfinite(mask_targets(regions, zeros, zeros, np.ones((1, 2, 8, 8), np.uint8), frames, 4)).all()
