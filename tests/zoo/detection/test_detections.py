import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.detection.detections import detect
from lambda_keras.zoo.detection.model import build_mask_rcnn

SIZES = tf.constant([[64.0, 64.0], [40.0, 64.0]])


@pytest.fixture(scope="module")
def ways(config, small_detector):
    """The function that finds objects, traced once with boxes suppressed by one kernel and once without."""

    def traced(combined):
        return tf.function(lambda images: detect(config, small_detector[0], images, SIZES, combined), autograph=False)

    return {"combined": traced(True), "built in": traced(False)}


@pytest.fixture(params=["combined", "built in"])
def found(ways, spread_detector, batch, request):
    return ways[request.param](batch["images"])


def test_detections_are_inside_of_what_the_image_shows_and_in_order(found):
    boxes, scores = found.boxes.numpy(), found.scores.numpy()
    assert (scores > 0).any()
    assert boxes.min() >= 0
    assert (boxes[..., 2].max(axis=1) <= SIZES[:, 0].numpy()).all()
    assert (boxes[..., 3].max(axis=1) <= SIZES[:, 1].numpy()).all()
    assert (np.diff(scores, axis=1) <= 0).all()
    assert set(found.classes.numpy()[scores > 0]) <= {1, 2, 3}


def test_masks_are_probabilities(found):
    assert found.masks.shape == (2, 6, 28, 28)
    assert (found.masks.numpy() >= 0).all()
    assert (found.masks.numpy() <= 1).all()


def test_both_ways_to_suppress_boxes_find_the_same(ways, spread_detector, batch):
    found = [way(batch["images"]) for way in ways.values()]
    for name, one, other in zip(found[0]._fields, *found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3, err_msg=name)


def test_xla_compiles_it_without_the_combined_kernel(config, ways, spread_detector, batch):
    @tf.function(jit_compile=True, autograph=False)
    def compiled(images):
        return detect(config, spread_detector, images, SIZES, combined_suppression=False)

    expected = ways["built in"](batch["images"])
    for name, one, other in zip(expected._fields, compiled(batch["images"]), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("way", ["combined", "built in"])
def test_rows_without_an_object_are_zeros(ways, spread_detector, batch, way):
    layer = spread_detector.get_layer("box_head").get_layer("box_logits")
    # All is background.
    layer.bias.assign([9.0, -9.0, -9.0, -9.0])
    assert all(not values.numpy().any() for values in ways[way](batch["images"]))


def test_without_masks_there_are_none(config, batch):
    config = dataclasses.replace(config, masks=False)
    model = build_mask_rcnn(config)
    found = tf.function(lambda images: detect(config, model, images, SIZES), autograph=False)(batch["images"])
    assert found.masks is None
