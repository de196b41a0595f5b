"""A small model, and others that its weights do not fit."""

import numpy as np
import pytest

import lambda_keras as lk

TINY = "lambda_resnet_tiny"
IMAGES = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")


def randomize(model, seed=1):
    """Gives all variables other values, BatchNorm's statistics included, and returns the model."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(variable.numpy() + 0.1 * rng.random(variable.shape))
    return model


def values(model):
    """All variables by name, as arrays."""
    return {variable.path: variable.numpy() for variable in model.weights}


@pytest.fixture
def model():
    """A model whose weights are random."""
    return lk.create_model(TINY)


@pytest.fixture(scope="session")
def author():
    """The model whose weights others load."""
    return randomize(lk.create_model(TINY))
