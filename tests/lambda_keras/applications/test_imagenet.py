"""Preprocessing and the names of the classes."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.applications import imagenet


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


def test_decoding_wants_imagenet_probabilities():
    with pytest.raises(ValueError, match="1000"):
        lk.decode_predictions(np.zeros((1, 10)))


def test_class_names_are_in_the_order_of_the_labels(class_index):
    assert imagenet.class_names() == tuple((f"n{label:08}", f"class_{label}") for label in range(1000))


def test_without_a_network_it_is_said_where_the_class_names_belong(class_index):
    shutil.rmtree(class_index)
    with pytest.raises(ValueError, match=rf"download https://.*\.json elsewhere and copy it to {class_index}"):
        imagenet.class_names()
