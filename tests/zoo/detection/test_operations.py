import ast
import types

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.detection import operations
from tests.conftest import ROOT

FILES = [
    *(ROOT / "zoo" / "detection").rglob("*.py"),
    *(ROOT / "zoo" / "commands").glob("detect*.py"),
    *(ROOT / "export" / "detection").rglob("*.py"),
]
NEUTRAL = {
    "official.vision.modeling.layers.detection_generator",
    "official.vision.modeling.layers.roi_generator",
    "official.vision.ops",
    "official.vision.ops.anchor",
    "official.vision.ops.iou_similarity",
    "official.vision.ops.spatial_transform_ops",
}


def modules_imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_one_file_imports_official_and_only_what_has_no_weights():
    """What a process has imported does not tell: `official/vision/__init__.py` imports its tasks and models."""
    imported = {
        path: {module for module in modules_imported(path) if module.split(".")[0] in ("official", "tf_keras")}
        for path in FILES
    }
    assert {path: modules for path, modules in imported.items() if modules} == {
        ROOT / "zoo" / "detection" / "operations.py": NEUTRAL
    }


def test_all_that_is_used_of_official_comes_from_there():
    for name, value in vars(operations).items():
        home = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", "")
        if str(home).startswith("official"):
            assert home in NEUTRAL | {"official.vision.ops.box_ops"}, name


def test_iou_of_boxes_that_overlap_that_touch_and_of_none():
    boxes = tf.constant([[0, 0, 10, 10], [10, 0, 20, 10], [5, 5, 5, 9]], tf.float32)
    others = tf.constant([[0, 5, 10, 15]], tf.float32)
    np.testing.assert_allclose(operations.pairwise_iou(boxes, others), [[50 / 150], [0], [0]], rtol=1e-6)


def numpy_align(features, region, crop_size):
    """ROI align with one sample in a cell, a map's pixel n at n, and the level of a region as in the FPN paper."""
    ymin, xmin, ymax, xmax = region
    level = int(np.floor(np.log2(np.sqrt((ymax - ymin) * (xmax - xmin)) / 224)) + 4)
    level = min(max(level, 2), 6)
    pixels = features[f"p{level}"]
    places = [
        np.clip((low + (np.arange(crop_size) + 0.5) * (high - low) / crop_size) / 2**level, 0, size - 1)
        for low, high, size in ((ymin, ymax, pixels.shape[0]), (xmin, xmax, pixels.shape[1]))
    ]
    crop = np.zeros((crop_size, crop_size, pixels.shape[-1]))
    for row, y in enumerate(places[0]):
        for column, x in enumerate(places[1]):
            top, left = int(y), int(x)
            bottom, right = min(top + 1, pixels.shape[0] - 1), min(left + 1, pixels.shape[1] - 1)
            above = pixels[top, left] * (1 - x + left) + pixels[top, right] * (x - left)
            below = pixels[bottom, left] * (1 - x + left) + pixels[bottom, right] * (x - left)
            crop[row, column] = above * (1 - y + top) + below * (y - top)
    return crop


@pytest.mark.parametrize("crop_size", [1, 7])
def test_regions_are_aligned_as_by_numpy(crop_size):
    random = np.random.default_rng(0)
    features = {
        f"p{level}": random.normal(size=(2, 1024 >> level, 1024 >> level, 2)).astype(np.float32)
        for level in range(2, 7)
    }
    corners = random.uniform(0, 500, (2, 6, 2))
    sides = np.geomspace(3, 520, 12).reshape(6, 2).transpose().reshape(2, 6, 1) * random.uniform(0.8, 1, (2, 6, 2))
    regions = np.concatenate([corners, corners + sides], axis=-1).astype(np.float32)
    # Of the coarsest level, and at the edge of the image.
    regions[0, 0], regions[1, 0] = (0, 0, 1024, 1024), (1000, 1000, 1024, 1024)
    crops = operations.align_regions({level: tf.constant(x) for level, x in features.items()}, regions, crop_size)
    assert crops.shape == (2, 6, crop_size, crop_size, 2)
    for image in range(2):
        maps = {level: x[image] for level, x in features.items()}
        for crop, region in zip(crops[image].numpy(), regions[image], strict=True):
            np.testing.assert_allclose(crop, numpy_align(maps, region, crop_size), atol=2e-4)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 20)])
def test_proposals_are_the_best_boxes_without_those_that_overlap_and_inside_of_the_image(height, width):
    """Of four anchors, at the four places of a map, the second is moved onto the first, which is better."""
    shifts = tf.constant([[0, 0, 0, 0], [0, -0.9, 0, 0], [0, 0, 0, 0], [5, 5, 0, 0]], tf.float32)
    proposals = operations.propose_regions(
        {"p5": tf.reshape(tf.constant([3.0, 1.0, 2.0, 0.0]), [1, 2, 2, 1])},
        {"p5": tf.reshape(shifts, [1, 2, 2, 4])},
        operations.anchor_boxes(64, [5], 1, [1.0], 1.0),
        tf.constant([[height, width]], tf.float32),
        candidates=4,
        proposals=4,
    ).numpy()
    right = min(width, 32)
    np.testing.assert_allclose(proposals[0, :2], [[0, 0, 32, right], [32, 0, height, right]], atol=1e-4)
    # What is outside is cut to nothing.
    assert (np.prod(proposals[0, 2:, 2:] - proposals[0, 2:, :2], axis=-1) == 0).all()


@pytest.mark.parametrize("combined", [False, True])
def test_detections_are_suppressed_within_their_class_alone(combined):
    regions = tf.constant([[[0, 0, 20, 20], [0, 1, 20, 21], [40, 40, 60, 60]]], tf.float32)
    # Background and two classes: the first region is of both, the second less of the first, the third of the second.
    logits = tf.math.log([[[0.02, 0.5, 0.48], [0.5, 0.48, 0.02], [0.1, 0.01, 0.89]]])
    found = operations.detect(
        logits,
        tf.zeros([1, 3, 12]),
        regions,
        tf.constant([[64.0, 50.0]]),
        weights=[10.0, 10.0, 5.0, 5.0],
        detections=5,
        combined_suppression=combined,
    )
    assert found["num_detections"].numpy() == 3
    np.testing.assert_allclose(found["detection_scores"][0, :3], [0.89, 0.5, 0.48], atol=1e-6)
    np.testing.assert_array_equal(found["detection_classes"][0, :3], [2, 1, 2])
    np.testing.assert_allclose(
        found["detection_boxes"][0, :3], [[40, 40, 60, 50], [0, 0, 20, 20], [0, 0, 20, 20]], atol=1e-4
    )
