"""Models of every family, written and read back: the artifact returns the numbers of its model."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import lambda_keras as lk
from lambda_keras.applications.imagenet import IMAGENET_MEAN, IMAGENET_STD
from lambda_keras.export.model import load
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.export.tflite.calibration import Calibration, load_calibration
from lambda_keras.export.tflite.delegation import operations_outside_xnnpack
from lambda_keras.export.tflite.quantization import BOUNDS, CALIBRATED, KINDS
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.data import catalog, input_pipeline
from lambda_keras.zoo.models.model_source import find
from lambda_keras.zoo.models.record import Record
from tests.export.conftest import blotches

# Of Debian's package dataset-fashion-mnist.
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
BATCH_SIZE = 100


def first_blocks(name):
    """The fields that leave of each stage what leads to its first lambda layer, with few channels."""
    lambdas = lk.applications.get_config(name).lambda_blocks
    return {
        "blocks": tuple(min(numbers, default=1) for numbers in lambdas),
        "lambda_blocks": tuple(numbers[:1] for numbers in lambdas),
        "stem_width": 8,
        "stage_widths": (8, 8, 16, 16),
    }


# Name, side of the images, and arguments of `make_random`. The LambdaResNets have the same blocks, only more.
MODELS = [
    pytest.param(("lambda_resnet50", 64, first_blocks("lambda_resnet50")), id="lambda_resnet50"),
    pytest.param(("lambda_resnet_tiny", 32, {"scope_size": None}), id="global scope"),
    pytest.param(("lambda_resnet_tiny", 32, {"scope_size": 3}), id="local scope"),
]


# Of a probability, by kind: what rounding makes of networks with random weights.
LARGEST_DIFFERENCES = {"none": 1e-5, "float16": 1e-2, "dynamic": 5e-2, "int8-float-lambdas": 0.1}


@pytest.fixture(scope="module", params=MODELS)
def written(request, make_random, tmp_path_factory):
    """A model with its SavedModel and its TFLite file, and images for it."""
    name, side, arguments = request.param
    model = make_random(name, side, **arguments)
    folder = tmp_path_factory.mktemp("written")
    # Of the kind whose statistics the model has: under others the activations of a random network explode.
    images = np.asarray(lk.preprocess_input(blotches(8, seed=1, side=side)))
    return model, export_saved_model(model, folder), export_tflite(model, folder / "model.tflite"), images


def test_any_batch(written):
    model, saved_model, tflite, images = written
    served = tf.saved_model.load(saved_model).signatures["serving_default"]
    runner = Interpreter(model_path=str(tflite)).get_signature_runner()
    expected = model(images, training=False)
    assert np.ptp(expected, axis=0).max() > 1e-3, "the probabilities do not depend on the image"
    for batch in (1, 3, 8):
        result = served(images=tf.constant(images[:batch]))["probabilities"]
        np.testing.assert_allclose(result, expected[:batch], atol=1e-5)
        result = runner(images=images[:batch])["probabilities"]
        np.testing.assert_allclose(result, expected[:batch], atol=1e-5)


def test_built_in_operations_only(written, operations):
    names = operations(written[2])
    assert "CONV_2D" in names
    assert not names & {"CUSTOM", "CONV_3D"}


# The quantised blocks of lambda_resnet26t are those of lambda_resnet50ts, which has more in them; and the kinds between
# write the same numbers in another form, whatever the network.
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("lambda_resnet26t", ["none"]),
        ("lambda_resnet50ts", LARGEST_DIFFERENCES),
        ("lambda_mobilenet_v2", ["none", "int8-float-lambdas"]),
    ],
)
def test_every_architecture(name, kinds, make_random, operations, tmp_path):
    side, fields = (32, {"deviation": 0.01}) if name == "lambda_mobilenet_v2" else (64, first_blocks(name))
    model = make_random(name, side, **fields)
    pixels = blotches(50, seed=1, side=side)
    calibration = Calibration(pixels[:40], pixels[40:], *map(np.float32, (IMAGENET_MEAN, IMAGENET_STD)))
    images = calibration.normalised(pixels[:8])
    expected = model.predict(images, verbose=0)
    assert np.ptp(expected, axis=0).max() > 1e-3, "the probabilities do not depend on the image"
    served = tf.saved_model.load(export_saved_model(model, tmp_path / "saved_model")).signatures["serving_default"]
    for batch in (1, 3, 8):
        result = served(images=tf.constant(images[:batch]))["probabilities"]
        np.testing.assert_allclose(result, expected[:batch], atol=1e-5)
    for kind in kinds:
        path = tmp_path / f"{kind}.tflite"
        export_tflite(model, path, kind, calibration if kind in CALIBRATED else None)
        assert not operations(path) & {"CUSTOM", "CONV_3D"}
        runner = Interpreter(model_path=str(path)).get_signature_runner()
        for batch in (1, 3, 8):
            result = runner(images=images[:batch])["probabilities"]
            np.testing.assert_allclose(
                result, expected[:batch], atol=LARGEST_DIFFERENCES[kind], err_msg=f"{kind}, batch {batch}"
            )


def test_images_of_any_size(make_random, tmp_path):
    """What a scope that is local allows, and batches of any size with it."""
    model = make_random("lambda_resnet_tiny", None)
    served = tf.saved_model.load(export_saved_model(model, tmp_path)).signatures["serving_default"]
    interpreter = Interpreter(model_path=str(export_tflite(model, tmp_path / "model.tflite")))
    for shape in ((3, 32, 32, 3), (1, 24, 40, 3)):
        images = np.random.default_rng(1).normal(size=shape).astype("float32")
        expected = model(images, training=False)
        np.testing.assert_allclose(served(images=tf.constant(images))["probabilities"], expected, atol=1e-5)
        runner = interpreter.get_signature_runner()
        np.testing.assert_allclose(runner(images=images)["probabilities"], expected, atol=1e-5)


@dataclass(frozen=True)
class Shipped:
    """A model with weights of this package, and test images of its dataset, of which it has been asked once."""

    model: keras.Model
    fused: keras.Model
    record: Record
    data_dir: Path | None
    pixels: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    expected: np.ndarray


@pytest.fixture(scope="module")
def shipped():
    """Of Fashion-MNIST, where it is installed, else of the digits. All its images: half a point of 5,000 is chance."""
    name, data_dir = ("fashion_mnist", FASHION_MNIST) if FASHION_MNIST.is_dir() else ("digits", None)
    model, record = load(find("lambda_resnet_tiny", name))
    dataset = catalog.load(record.data(), data_dir)
    batches = input_pipeline.evaluation_batches(dataset.test, dataset, record.data(), batch_size=BATCH_SIZE)
    batches = list(batches.as_numpy_iterator())
    pixels, targets, valid = (
        np.concatenate([batch[name] for batch in batches]) for name in ("image", "target", "valid")
    )
    labels = input_pipeline.labels(targets[valid]).numpy()
    mean, std = record.preprocessor.mean, record.preprocessor.std
    images = np.asarray(lk.preprocess_input(pixels[valid], mean=mean, std=std))
    expected = model.predict(images, batch_size=BATCH_SIZE, verbose=0)
    return Shipped(model, lk.fuse(model), record, data_dir, pixels[valid], images, labels, expected)


def in_batches(classify, images):
    """The probabilities of all images, a batch at a time."""
    starts = range(0, len(images), BATCH_SIZE)
    return np.concatenate([classify(images[start : start + BATCH_SIZE]) for start in starts])


def check_accuracy(shipped, result, largest_difference):
    """Within 0.5 points of the model's accuracy, whatever the kind."""
    accuracy = np.mean(shipped.expected.argmax(-1) == shipped.labels)
    assert accuracy > 0.93
    assert accuracy - np.mean(result.argmax(-1) == shipped.labels) <= 0.005
    assert np.abs(result - shipped.expected).max() <= largest_difference


@pytest.mark.parametrize("kind", KINDS)
def test_the_accuracy_of_tflite_files(shipped, kind, operations, tmp_path):
    record, calibration = shipped.record, None
    if kind in CALIBRATED:
        calibration = load_calibration(record.dataset, shipped.model, 200, record, shipped.data_dir)
    path = export_tflite(shipped.fused, tmp_path / "model.tflite", kind, calibration, record=record)
    assert not operations(path) & {"CUSTOM", "CONV_3D"}
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    (given,), (returned,) = runner.get_input_details().values(), runner.get_output_details().values()

    def classify(batch):
        if given["dtype"] == np.int8:
            scale, zero_point = given["quantization"]
            batch = np.clip(np.round(batch / scale) + zero_point, -128, 127).astype("int8")
        result = runner(images=batch)["probabilities"]
        if returned["dtype"] == np.int8:
            scale, zero_point = returned["quantization"]
            result = scale * (result.astype("float32") - zero_point)
        return result

    check_accuracy(shipped, in_batches(classify, shipped.images), BOUNDS[kind].largest_difference)


@pytest.mark.parametrize(("fuse", "freeze"), [(False, False), (True, True)], ids=["plain", "fused, frozen"])
def test_the_accuracy_of_saved_models(shipped, fuse, freeze, tmp_path):
    """Of images as they are: preprocessing is inside."""
    version = export_saved_model(shipped.fused if fuse else shipped.model, tmp_path, shipped.record, freeze=freeze)
    served = tf.saved_model.load(version).signatures["classify_uint8"]
    result = in_batches(lambda batch: served(images=tf.constant(batch))["probabilities"], shipped.pixels)
    check_accuracy(shipped, result, 1e-4)


def test_xnnpack_runs_a_fused_model_as_a_whole(tmp_path):
    model, record = load(find("lambda_resnet_tiny", "digits"))
    path = export_tflite(lk.fuse(model), tmp_path / "model.tflite", batch_size=1, record=record)
    assert not operations_outside_xnnpack(path)
