"""Pictures of five sizes in a TFLite file that makes them ready itself, and in the SavedModel, which does so too."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import lambda_keras as lk
from lambda_keras.export import cli
from lambda_keras.export.checks.artifact import find_artifact, refuse_pictures
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.export.web.page import write_web_page
from lambda_keras.zoo.errors import UserError

# As it is, enlarged, reduced, a strip, and one of another shape.
SIZES = ((32, 32), (21, 17), (480, 641), (40, 400), (233, 97))


def picture(height, width, channels, seed=0):
    """Fields of random colours with noise: edges, along which bicubic interpolation overshoots."""
    random = np.random.default_rng(seed)
    fields = random.integers(0, 256, (-(-height // 8), -(-width // 8), channels))
    pixels = fields.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return np.clip(pixels + random.normal(0, 12, pixels.shape), 0, 255).astype("uint8")


def probabilities(path, image):
    return Interpreter(model_path=str(path)).get_signature_runner()(images=image[np.newaxis])["probabilities"][0]


@pytest.fixture(scope="module")
def any_size(model, record, folder):
    return export_tflite(model, folder / "any_size.tflite", record=record, any_size=True)


def compare(path, saved_model, record, images, tolerance):
    """Compares the probabilities of the five classes that the SavedModel names, and returns the first of each image."""
    serve = tf.saved_model.load(saved_model).signatures["classify_bytes"]
    found = []
    for image in images:
        expected = serve(image_bytes=tf.constant([tf.io.encode_png(image).numpy()]))
        names = [name.decode() for name in expected["classes"][0].numpy()]
        result = probabilities(path, image)[[record.class_names.index(name) for name in names]]
        np.testing.assert_allclose(result, expected["scores"][0], atol=tolerance, rtol=0)
        found.append(names[0])
    return found


def test_it_is_the_savedmodel_on_pictures_of_five_sizes(digits_model, digits_record, digits_test, operations, tmp_path):
    path = export_tflite(digits_model, tmp_path / "model.tflite", record=digits_record, any_size=True)
    assert "CUSTOM" not in operations(path)
    images = [
        tf.cast(tf.image.resize(image, size), tf.uint8).numpy()
        for image, size in zip(digits_test.images, SIZES, strict=False)
    ]
    saved_model = export_saved_model(digits_model, tmp_path / "served", digits_record)
    found = compare(path, saved_model, digits_record, images, tolerance=1e-3)
    assert len(set(found)) > 2


def test_so_it_is_in_colour(record, operations, tmp_path):
    """Of trained weights: random ones magnify that a pixel is rounded the other way."""
    model = lk.create_model("lambda_resnet_tiny", weights="digits", input_shape=(32, 32, 3))
    path = export_tflite(model, tmp_path / "model.tflite", record=record, any_size=True)
    assert "CUSTOM" not in operations(path)
    images = [picture(*size, 3, seed) for seed, size in enumerate(SIZES)]
    found = compare(path, export_saved_model(model, tmp_path / "served", record), record, images, tolerance=1e-3)
    assert len(set(found)) > 1


@pytest.mark.parametrize("kind", ["float16", "dynamic"])
def test_weights_may_be_smaller(kind, digits_model, digits_record, digits_test, any_size, tmp_path):
    """Of grey digits, which fill the picture."""
    path = export_tflite(digits_model, tmp_path / "model.tflite", kind, record=digits_record, any_size=True)
    images = digits_test.images[:20]
    right = [probabilities(path, image.repeat(3, axis=0).repeat(3, axis=1)).argmax() for image in images]
    assert np.mean(right == digits_test.labels[:20]) >= 0.9


def test_what_it_cannot_be(model, record, tmp_path):
    path = tmp_path / "model.tflite"
    with pytest.raises(UserError, match=r"--any-size makes pictures ready as the model's record.json says, which is"):
        export_tflite(model, path, any_size=True)
    with pytest.raises(UserError, match="--any-size takes one picture at a time, got --batch 2; leave it out"):
        export_tflite(model, path, record=record, batch_size=2, any_size=True)


def test_with_int8_it_is_refused(model, record, digits_calibration, tmp_path):
    with pytest.raises(UserError, match=r"--any-size resizes in float32, got --quantize int8; take none, float16 or"):
        export_tflite(model, tmp_path / "a.tflite", "int8", digits_calibration, record=record, any_size=True)


def test_where_images_are_ready_already_it_is_refused(any_size, tflite, tmp_path, capsys):
    assert find_artifact(any_size).takes_pictures
    refuse_pictures([find_artifact(tflite)])
    assert cli.main(["benchmark", "--out", str(tmp_path), str(any_size)]) == 2
    error = capsys.readouterr().err
    assert "makes pictures of any size ready itself (--any-size), and the images here are ready" in error
    assert error.count("\n") == 1
    with pytest.raises(UserError, match=r"makes pictures ready itself, as the page does; export it without --any-size"):
        write_web_page(any_size, tmp_path / "page")
