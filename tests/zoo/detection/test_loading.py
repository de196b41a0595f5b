import dataclasses
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.detection.detections import detect
from lambda_keras.zoo.detection.loading import Detector, load
from lambda_keras.zoo.detection.retinanet import RetinaNet, build_retinanet
from lambda_keras.zoo.errors import UserError


@pytest.fixture(scope="module")
def images():
    return tf.constant(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)), tf.uint8)


def found_by(detector, images, sizes):
    return tf.function(detector.find, autograph=False)(images, tf.constant(sizes))


def test_a_loaded_detector_finds_in_pixels_of_the_picture_what_the_model_finds_in_the_image(
    run, record, config, images
):
    # Of 64×32 pixels the image shows all; of 640×320 it is a tenth.
    found = found_by(load(run), images, [[64, 32], [640, 320]])
    normalised = (tf.cast(images, tf.float32) / 255 - record.mean) / record.std
    model = keras.models.load_model(run / "model.keras")
    expected = tf.function(lambda x: detect(config, model, x, tf.constant([[64.0, 32.0]] * 2)), autograph=False)
    expected = expected(normalised)
    assert (found.scores.numpy() > 0).any(axis=1).all()
    np.testing.assert_allclose(found.boxes[0], expected.boxes[0], atol=1e-3)
    np.testing.assert_allclose(found.boxes[1], expected.boxes[1] * 10, atol=1e-2)
    assert found.boxes.numpy().max(axis=1).tolist()[1][2] <= 640
    for name in ("classes", "scores", "masks"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5, err_msg=name)


def test_a_retinanet_is_loaded_too(record, images, tmp_path):
    network = RetinaNet("lambda_resnet_tiny", 3, 64, overrides={"stem": "vanilla"}, channels=4, detections=5)
    build_retinanet(network).save(tmp_path / "net.keras")
    dataclasses.replace(record, network=network).write(tmp_path / "record.json")
    detector = load(tmp_path / "net.keras")
    assert detector.folder == tmp_path
    assert found_by(detector, images, [[64, 64]] * 2).masks is None


def test_a_detector_without_masks_is_one(record, config, run):
    model = keras.models.load_model(run / "model.keras")
    network = dataclasses.replace(config, masks=False)
    # The mask head may be there: nobody asks it.
    assert Detector(model, dataclasses.replace(record, network=network), "m", run).record.has_masks is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 16}, "of its region_proposals input p2 the shape is (16, 16, 16), of the model's (16, 16, 8)"),
        ({"image_size": 128}, "of its backbone input the shape is (128, 128, 3), of the model's (64, 64, 3)"),
    ],
)
def test_a_record_of_another_model_is_refused(run, record, change, message):
    dataclasses.replace(record, network=dataclasses.replace(record.network, **change)).write(run / "record.json")
    with pytest.raises(UserError) as caught:
        load(run)
    assert message in str(caught.value)


def test_a_record_of_another_kind_is_refused(run, record):
    network = RetinaNet("lambda_resnet_tiny", 3, 64, overrides={"stem": "vanilla"}, channels=8, detections=5)
    dataclasses.replace(record, network=network).write(run / "record.json")
    with pytest.raises(UserError, match="is no RetinaNet, as its record says"):
        load(run)


def test_missing_and_damaged_files_are_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"no such file: .*; a detector is the folder of"):
        load(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no such file: .*model.keras"):
        load(tmp_path)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(run / "model.keras", alone)
    with pytest.raises(UserError, match=r"no such file: .*record.json"):
        load(alone)
    content = (run / "model.keras").read_bytes()
    (run / "model.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="not a Keras model file"):
        load(run)


def test_code_in_a_model_is_not_run(run, tmp_path):
    marker = str(tmp_path / "ran")
    image = keras.Input((64, 64, 3))

    # Of a function with a name, a file has the name alone.
    layer = keras.layers.Lambda(lambda x: (open(marker, "w").close(), x)[1], output_shape=(64, 64, 3))
    keras.Model(image, layer(image)).save(run / "model.keras")
    pathlib.Path(marker).unlink(missing_ok=True)
    with pytest.raises(UserError, match="Python code is not run"):
        load(run)
    assert not pathlib.Path(marker).exists()
