"""How models want their images."""

import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.applications import preprocessor_of
from lambda_keras.weights import Preprocessor, WeightsError, catalog


def test_preprocessing_is_that_of_torchvision_and_timm():
    images = np.random.default_rng(0).integers(0, 256, size=(2, 4, 5, 3), dtype="uint8")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (images / 255.0 - mean) / std
    for given in (images, images.astype("float32"), tf.constant(images)):
        x = lk.preprocess_input(given)
        assert x.dtype == "float32"
        np.testing.assert_allclose(x, expected, atol=1e-6)


def test_mean_and_deviation_of_another_dataset():
    images = np.full((1, 2, 2, 1), 255, "uint8")
    np.testing.assert_allclose(lk.preprocess_input(images, mean=[0.5], std=[0.25]), 2.0)


def test_a_model_brings_its_own_record():
    images = np.random.default_rng(0).integers(0, 256, size=(2, 4, 5, 3), dtype="uint8")
    np.testing.assert_array_equal(lk.preprocess_input(images, model="lambda_resnet50ts"), lk.preprocess_input(images))
    with pytest.raises(ValueError, match="`model` excludes `mean`"):
        lk.preprocess_input(images, mean=[0.5], model="lambda_resnet50ts")
    with pytest.raises(ValueError, match="Nearest names"):
        lk.preprocess_input(images, model="lambda_resnet50tt")


def test_channels_must_match():
    with pytest.raises(ValueError, match="each of the 4 channels"):
        lk.preprocess_input(np.zeros((1, 2, 2, 4)))


def test_the_record_says_how_images_are_prepared(tmp_path):
    record = catalog.find("lambda_resnet50ts", "imagenet")
    expected = Preprocessor(256, 0.95, "bicubic", record.mean, record.std)
    for source in ("lambda_resnet50ts", "lambda_resnet50ts.a1h_in1k", "lambda_resnet50ts.imagenet"):
        assert preprocessor_of(source) == expected
    assert preprocessor_of("lambda_resnet50").image_size == 160
    # It has weights, but none of ImageNet.
    assert preprocessor_of("lambda_resnet_tiny") == Preprocessor(32)
    assert preprocessor_of("lambda_resnet_tiny.fashion_mnist").mean == (0.286,)
    lk.save_pretrained(lk.create_model("lambda_resnet_tiny"), tmp_path / "mine", Preprocessor(32, 1.0))
    assert preprocessor_of(str(tmp_path / "mine")).evaluation_crop == 1.0
    with pytest.raises(ValueError, match="Nearest names"):
        preprocessor_of("lambda_resnet5O")
    with pytest.raises(WeightsError, match="has no weights 'x'"):
        preprocessor_of("lambda_resnet50ts.x")
    with pytest.raises(FileNotFoundError):
        preprocessor_of("no/where")


def test_normalise_against_numpy():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), "uint8")
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    expected = (images.astype("float32") / 255 - np.float32(mean)) / np.float32(std)
    np.testing.assert_allclose(lk.preprocess_input(images, mean=mean, std=std), expected, rtol=1e-5)
