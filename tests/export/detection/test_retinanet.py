"""A RetinaNet is exported by the same functions as a Mask R-CNN: what it finds is the same in both forms."""

import keras
import numpy as np
import pytest

from lambda_keras.export.checks.artifact import find_artifact
from lambda_keras.export.detection import verification
from lambda_keras.export.detection.tflite import export_tflite
from lambda_keras.export.detection.writer import export_saved_model
from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.detection.loading import load
from lambda_keras.zoo.detection.record import DetectorRecord
from lambda_keras.zoo.detection.retinanet import RetinaNet, build_retinanet
from lambda_keras.zoo.training.averages import batch_norms
from tests.export.detection.conftest import SIDE, draw, png


@pytest.fixture(scope="module")
def retinanet(tmp_path_factory):
    """One of random weights, whose scores and boxes differ."""
    folder = tmp_path_factory.mktemp("retinanet")
    keras.utils.set_random_seed(0)
    config = RetinaNet(
        "lambda_resnet_tiny", classes=2, image_size=SIDE, overrides={"stem": "vanilla"}, channels=8, detections=6
    )
    model = build_retinanet(config)
    random = np.random.default_rng(0)
    pixels = np.stack([draw(random, SIDE, SIDE)[0] for _ in range(8)])
    # Without their statistics, what comes out of so many layers is nothing but its bias.
    for layer in batch_norms(model):
        layer.momentum = 0.0
    model((pixels / 255 - 0.5) / 0.25, training=True)
    for name, factor in (("dense_class_prediction", 3e4), ("dense_box_prediction", 1e4)):
        layer = model.get_layer("dense_head").get_layer(name)
        layer.kernel.assign(layer.kernel * factor)
    model.save(folder / "model.keras")
    categories = (Category(1, "red"), Category(2, "green"))
    DetectorRecord(config, categories, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)).write(folder / "record.json")
    return load(folder)


def test_both_forms_find_what_it_finds(retinanet, tmp_path):
    random = np.random.default_rng(5)
    # Without padding, of which a detector that was not trained is all too sure: scores of 1 tie.
    scenes = [draw(random, SIDE, SIDE)[0] for _ in range(3)]
    written = [export_saved_model(retinanet, tmp_path / "served"), export_tflite(retinanet, tmp_path / "it.tflite")]
    artifacts = [find_artifact(path) for path in written]
    original = verification.Original(retinanet, load_seconds=1.0)
    files = ((str(number), png(scene)) for number, scene in enumerate(scenes))
    verified = verification.verify(original, files, artifacts)
    assert verified.objects > len(scenes)
    assert [comparison.mask for comparison in verified.comparisons] == [None, None]
    assert verified.passes(artifacts), verified.comparisons
