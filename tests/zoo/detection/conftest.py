"""A small detector with a batch that it is trained on, and a small folder of pictures in COCO's format."""

import copy
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from pycocotools import mask as coco_masks

from lambda_keras.zoo.detection.data import coco_json
from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.detection.model import MaskRCNN, build_mask_rcnn
from lambda_keras.zoo.detection.record import DetectorRecord
from tests.zoo.detection.training import SMALL

# A backbone with lambda layers and maps of strides 4 to 32.
BACKBONE, OVERRIDES = "lambda_resnet_tiny", {"stem": "vanilla"}
HEIGHT, WIDTH = 40, 60
# Out of order, with gaps.
CATEGORIES = [{"id": 90, "name": "owl"}, {"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]
CATEGORY_ROWS = (Category(3, "cat"), Category(7, "dog"), Category(90, "owl"))
# Where a crowd is, as COCO numbers pixels: column by column.
CROWD = np.zeros((HEIGHT, WIDTH), "uint8")
CROWD[5:20, 30:50] = 1


@pytest.fixture(scope="session")
def config():
    return MaskRCNN(BACKBONE, classes=3, image_size=64, overrides=OVERRIDES, **SMALL)


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


def run_lengths(mask):
    """COCO's uncompressed encoding, by hand: lengths of zeros and ones in turn, zeros first."""
    pixels = mask.T.ravel()
    changes = np.flatnonzero(np.diff(pixels, prepend=0)) if pixels.size else []
    return np.diff([0, *changes, pixels.size]).tolist()


def decode(counts, height, width):
    """A mask in COCO's compressed encoding as uint8 `[height, width]`."""
    return coco_masks.decode([{"size": [height, width], "counts": counts}])[:, :, 0]


@pytest.fixture
def content():
    """What a COCO file of three pictures has, to be changed: objects of every encoding, and a picture without any."""
    encoded = coco_masks.encode(np.asfortranarray(CROWD))["counts"].decode()
    disc = np.hypot(*np.mgrid[-20:20, -30:30] + 0.5) < 9
    annotations = [
        {"image_id": 11, "category_id": 7, "bbox": [4.25, 6.5, 20.1, 10.3], "area": 100.5, "iscrowd": 0}
        | {"segmentation": [[4.25, 6.5, 24.35, 6.5, 14.0, 16.8]]},
        {"image_id": 11, "category_id": 90, "bbox": [30, 5, 20, 15], "area": 300, "iscrowd": 1}
        | {"segmentation": {"size": [HEIGHT, WIDTH], "counts": encoded}},
        {"image_id": 30, "category_id": 3, "bbox": [21, 11, 18, 18], "area": float(disc.sum()), "iscrowd": 0}
        | {"segmentation": {"size": [HEIGHT, WIDTH], "counts": run_lengths(disc)}},
    ]
    for number, annotation in enumerate(annotations):
        annotation["id"] = 100 + number
    images = [
        {"id": image_id, "file_name": f"{image_id}.png", "height": HEIGHT, "width": WIDTH} for image_id in (30, 11, 2)
    ]
    return copy.deepcopy({"info": {}, "images": images, "annotations": annotations, "categories": CATEGORIES})


@pytest.fixture
def write_coco(content, tmp_path):
    """Writes a content, and a grey picture for each of its three ids; returns the paths of the file and the folder."""

    def write(content=content):
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        for image_id in (30, 11, 2):
            Image.fromarray(np.full((HEIGHT, WIDTH, 3), image_id, "uint8")).save(folder / f"{image_id}.png")
        file = tmp_path / "instances.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file, folder

    return write


@pytest.fixture
def load_coco(write_coco, content):
    """Loads a content with `coco_json.load`."""

    def load(content=content, with_masks=True):
        return coco_json.load(*write_coco(content), with_masks=with_masks)

    return load


@pytest.fixture(scope="session")
def record(config):
    """That of `detector`, with the categories of `content` in the order of their numbers."""
    return DetectorRecord(config, CATEGORY_ROWS, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.fixture
def run(spread_detector, record, tmp_path):
    """The folder of a training, which has a detector that finds something in any picture."""
    folder = tmp_path / "run"
    folder.mkdir()
    spread_detector.save(folder / "model.keras")
    record.write(folder / "record.json")
    return folder
