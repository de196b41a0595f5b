"""A small detector, and a batch that it is trained on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.detection.model import MaskRCNN, build_mask_rcnn

# A backbone with lambda layers and maps of strides 4 to 32.
BACKBONE, OVERRIDES = "lambda_resnet_tiny", {"stem": "vanilla"}


@pytest.fixture(scope="session")
def config():
    return MaskRCNN(
        BACKBONE,
        classes=3,
        image_size=64,
        overrides=OVERRIDES,
        channels=8,
        dense_channels=16,
        candidates=60,
        proposals=40,
        sampled_anchors=32,
        sampled_regions=16,
        detections=6,
    )


@pytest.fixture(scope="session")
def small_detector(config):
    """The model of `detector`, built once, and the weights that each test gets it with."""
    keras.utils.set_random_seed(0)
    model = build_mask_rcnn(config)
    return model, model.get_weights()


@pytest.fixture
def detector(small_detector):
    """A Mask R-CNN of random weights."""
    model, weights = small_detector
    model.set_weights(weights)
    return model


@pytest.fixture
def spread_detector(detector):
    """The same, but its scores and its boxes differ by more than what float32 rounds."""
    for part, name, factor in (
        ("region_proposals", "region_scores", 1e5),
        ("region_proposals", "region_boxes", 1e4),
        ("box_head", "box_logits", 100),
        ("box_head", "box_boxes", 100),
    ):
        layer = detector.get_layer(part).get_layer(name)
        layer.kernel.assign(layer.kernel * factor)
    return detector


@pytest.fixture(scope="session")
def batch():
    """Two images: the first with two objects, the second with none."""
    random = np.random.default_rng(0)
    boxes, classes = np.full((2, 4, 4), -1, np.float32), np.full((2, 4), -1, np.int32)
    boxes[0, :2] = (5, 10, 30, 45), (32, 33, 60, 56)
    classes[0, :2] = 1, 3
    frames = boxes.copy()
    frames[0, 0] = (-5, 10, 30, 45)
    return {
        "images": tf.constant(random.normal(size=(2, 64, 64, 3)), tf.float32),
        "boxes": tf.constant(boxes),
        "classes": tf.constant(classes),
        "masks": tf.constant(random.integers(0, 2, (2, 4, 112, 112)), tf.uint8),
        "mask_frames": tf.constant(frames),
    }
