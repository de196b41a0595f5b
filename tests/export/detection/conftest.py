"""A small Mask R-CNN that was trained for a moment, so that its scores and boxes differ, and what was made of it."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lambda_keras.export.detection.tflite import export_tflite
from lambda_keras.export.detection.writer import export_saved_model
from lambda_keras.layers import BatchNormalization
from lambda_keras.zoo.detection import forward, losses, sampling
from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.detection.loading import load
from lambda_keras.zoo.detection.model import MaskRCNN, build_mask_rcnn
from lambda_keras.zoo.detection.record import DetectorRecord
from tests.export.conftest import once

SIDE, STEPS, BATCH = 64, 50, 2
COLOURS = ((230, 30, 40), (40, 200, 60))


def draw(random, height, width):
    """Grey noise with a red and a green rectangle; uint8 `[height, width, 3]` and their boxes `[2, 4]`."""
    pixels = random.integers(90, 160, (height, width, 3)).astype("uint8")
    boxes = np.zeros((2, 4), "float32")
    for number, colour in enumerate(COLOURS):
        # Each in a half of its own.
        rows = random.integers(height // 4, height * 2 // 5)
        columns = random.integers(width // 3, width * 2 // 3)
        top = number * (height // 2) + random.integers(0, height // 2 - rows)
        left = random.integers(0, width - columns)
        pixels[top : top + rows, left : left + columns] = colour
        boxes[number] = top, left, top + rows, left + columns
    return pixels, boxes


@pytest.fixture(scope="session")
def detector_run(folder):
    """The folder of a training."""
    return once(folder / "detector", train_detector)


def train_detector(place):
    place.mkdir()
    keras.utils.set_random_seed(0)
    config = MaskRCNN(
        "lambda_resnet_tiny",
        classes=2,
        image_size=SIDE,
        overrides={"stem": "vanilla"},
        channels=16,
        dense_channels=32,
        candidates=100,
        proposals=50,
        sampled_anchors=32,
        sampled_regions=16,
        detections=8,
    )
    record = DetectorRecord(config, (Category(2, "red"), Category(9, "grün")), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    model = build_mask_rcnn(config)
    train(config, model)
    model.save(place / "model.keras")
    record.write(place / "record.json")


def train(config, model):
    for layer in model._flatten_layers():
        if isinstance(layer, BatchNormalization):
            layer.momentum = 0.9
    optimizer = keras.optimizers.SGD(0.02, momentum=0.9, global_clipnorm=10.0)
    random = np.random.default_rng(0)

    @tf.function(autograph=False)
    def step(images, boxes, number):
        batch = {
            "boxes": boxes,
            "classes": tf.tile([[1, 2]], [BATCH, 1]),
            "masks": tf.ones([BATCH, 2, 112, 112], tf.uint8),
            "mask_frames": boxes,
        }
        seeds = sampling.seeds_of_images(tf.stack([0, number]), tf.range(BATCH))
        with tf.GradientTape() as tape:
            terms = forward.mask_rcnn_terms(config, model, images, batch, seeds)
            loss = losses.mean(terms, {name: term.count for name, term in terms.items()})
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)

    optimizer.build(model.trainable_variables)
    for number in range(STEPS):
        pixels, boxes = map(np.stack, zip(*(draw(random, SIDE, SIDE) for _ in range(BATCH)), strict=True))
        step(tf.constant((pixels / 255 - 0.5) / 0.25, tf.float32), tf.constant(boxes), tf.constant(number))


@pytest.fixture(scope="session")
def detector(detector_run):
    return load(detector_run)


@pytest.fixture(scope="session")
def find(detector):
    """What the Keras model finds in images and sizes."""
    return tf.function(detector.find, autograph=False)


@pytest.fixture(scope="session")
def saved_model(detector, folder):
    path = folder / "detector_saved_model"
    return once(path, lambda path: export_saved_model(detector, path, most_pixels=10_000)) / "1"


@pytest.fixture(scope="session")
def tflite_file(detector, folder):
    return once(folder / "detector.tflite", lambda path: export_tflite(detector, path))


@pytest.fixture(scope="session")
def scenes():
    """Pictures of different sizes: uint8 arrays."""
    random = np.random.default_rng(5)
    return [draw(random, *size)[0] for size in ((64, 64), (120, 40), (50, 200))]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
