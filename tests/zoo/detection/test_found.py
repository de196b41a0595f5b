"""What is taken out of a batch of detections, and how COCO writes it."""

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.detection.detections import Detections
from lambda_keras.zoo.detection.found import Found, add_results, no_results

CATEGORIES = (Category(3, "cat"), Category(90, "owl"))
BOXES = np.float32([[[0, 0, 0, 0]] * 3, [[2, 1, 6, 5], [0, 0, 8, 8], [0, 0, 0, 0]]])
CLASSES, SCORES = np.int32([[0, 0, 0], [2, 1, 0]]), np.float32([[0, 0, 0], [0.9, 0.6, 0]])


@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_rows_without_an_object_are_left_out(kind):
    detections = Detections(kind(BOXES), kind(CLASSES), kind(SCORES), kind(np.ones((2, 3, 28, 28), "float32")))
    found = Found.of(detections, 1, kind([8, 10]))
    assert found.size == (8, 10)
    np.testing.assert_array_equal(found.boxes, [[2, 1, 6, 5], [0, 0, 8, 8]])
    np.testing.assert_array_equal(found.classes, [2, 1])
    assert found.masks.shape == (2, 28, 28)
    assert Found.of(detections, 0, (8, 10)).results(1, CATEGORIES) == {"boxes": [], "masks": []}


def test_results_of_pictures_are_added_up():
    results = no_results(with_masks=False)
    found = Found.of(Detections(BOXES, CLASSES, SCORES, None), 1, (8, 10))
    for image_id in (4, 5):
        add_results(results, found.results(image_id, CATEGORIES))
    assert set(results) == {"boxes"}
    assert [(entry["image_id"], entry["category_id"]) for entry in results["boxes"]] == [
        (4, 90),
        (4, 3),
        (5, 90),
        (5, 3),
    ]
    assert results["boxes"][0]["bbox"] == [1, 2, 4, 4]
