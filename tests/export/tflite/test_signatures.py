import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.export.tflite.signatures import ServedClassifier


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_serving_default_is_the_model(model, images, batch):
    result = ServedClassifier(model).probabilities(tf.constant(images[:batch]))
    assert list(result) == ["probabilities"]
    assert result["probabilities"].dtype == tf.float32
    expected = model(images[:batch], training=False)
    np.testing.assert_allclose(result["probabilities"], expected, atol=1e-5)


def test_it_holds_every_variable_of_the_model_once(model):
    variables = ServedClassifier(model).variables
    assert sorted(map(id, variables)) == sorted(id(variable.value) for variable in model.variables)
