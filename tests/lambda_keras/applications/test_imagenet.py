"""ImageNet's classes."""

import shutil

import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.applications import imagenet


def test_decoding_wants_imagenet_probabilities():
    with pytest.raises(ValueError, match="1000"):
        lk.decode_predictions(np.zeros((1, 10)))


def test_class_names_are_in_the_order_of_the_labels(class_index):
    assert imagenet.class_names() == tuple((f"n{label:08}", f"class_{label}") for label in range(1000))


def test_without_a_network_it_is_said_where_the_class_names_belong(class_index):
    shutil.rmtree(class_index)
    with pytest.raises(ValueError, match=rf"download https://.*\.json elsewhere and copy it to {class_index}"):
        imagenet.class_names()
