"""A small detector's recipe and pictures, for the tests that train."""

import json

import numpy as np
from PIL import Image

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.detection.data import coco_json
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.detection.task import Parts

COLOURS = ((220, 40, 40), (40, 200, 60))
# What makes a detector small.
SMALL = {
    "channels": 8,
    "dense_channels": 16,
    "candidates": 60,
    "proposals": 40,
    "sampled_anchors": 32,
    "sampled_regions": 16,
    "detections": 6,
}
VALUES = {
    "model": {
        "backbone": "lambda_resnet_tiny",
        # One lambda layer: more would be traced, not proved.
        "overrides": {"stem": "vanilla", "blocks": [1, 1, 1, 1], "lambda_blocks": [[], [], [], [1]]},
        **SMALL,
    },
    "data": {
        "image_size": 64,
        "scales": [0.8, 1.25],
        "max_objects": 4,
    },
    "training": {
        "steps": 6,
        "batch_size": 2,
        "optimizer": "momentum",
        "learning_rate": 0.01,
        "schedule": "drops",
        "drops": [4],
        "warmup_steps": 2,
        "weight_decay": 4e-5,
        "ema_decay": 0.9,
        "synchronized_batch_norm": True,
        "steps_per_loop": 1,
    },
}


def recipe(*overrides):
    """The recipe of the tests, with overrides as on a command line."""
    return recipe_file.values_as(DetectorRecipe, json.loads(json.dumps(VALUES)), overrides, "tests")


def write_pictures(folder, train=6, val=3):
    """Writes COCO files of pictures with 0, 1, 2 or 3 rectangles in turn, the kind of which is their colour."""
    random = np.random.default_rng(0)
    for part, count in (("train", train), ("val", val)):
        (folder / part).mkdir(parents=True)
        images, annotations = [], []
        for number in range(count):
            height, width = 48 + 4 * number, 64
            pixels = random.integers(80, 100, (height, width, 3), "uint8")
            for _ in range(number % 4):
                label = int(random.integers(2))
                x, y, w, h = (int(value) for value in random.integers((0, 0, 12, 12), (36, 24, 28, 24)))
                pixels[y : y + h, x : x + w] = COLOURS[label]
                polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "bbox": [x, y, w, h]}
                    | {"segmentation": [polygon], "area": w * h, "iscrowd": 0}
                )
            Image.fromarray(pixels).save(folder / part / f"{number}.png")
            images.append({"id": number, "file_name": f"{number}.png", "height": height, "width": width})
        categories = [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{part}.json").write_text(json.dumps(content))


def load_parts(folder, with_masks=True):
    """The parts that `write_pictures` wrote."""
    return Parts(*(coco_json.load(folder / f"{part}.json", folder / part, with_masks) for part in ("train", "val")))
