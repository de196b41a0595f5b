import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from lambda_keras.export.tflite.average_pools import pools_as_convolutions


def rewritten(pool, shape):
    """The kinds of operations after the rewriting, and a function that runs them."""
    inputs = keras.Input(shape)
    model = keras.Model(inputs, keras.layers.Dense(2)(pool(inputs)))
    images = tf.TensorSpec([None, *shape], tf.float32)
    frozen = convert_variables_to_constants_v2(tf.function(model).get_concrete_function(images))
    (given,), (returned,) = frozen.inputs, frozen.outputs
    before = frozen.graph.as_graph_def()
    graph = pools_as_convolutions(before, frozen.graph)
    assert "AvgPool" in {node.op for node in before.node}

    def run(images):
        return tf.graph_util.import_graph_def(graph, {given.name: images}, [returned.name], name="")[0]

    return model, {node.op for node in graph.node}, tf.function(run)


@pytest.mark.parametrize(
    ("window", "stride", "padding", "sides", "becomes_convolution"),
    [
        (2, 2, "same", (8, 6), True),
        (2, 2, "valid", (7, 6), True),
        ((3, 2), (1, 2), "valid", (7, 6), True),
        # The last window reaches over the border: it has fewer numbers to divide by.
        (2, 2, "same", (7, 6), False),
        (3, 2, "same", (8, 8), False),
        (2, 2, "valid", (None, 6), False),
    ],
)
def test_the_numbers_stay(window, stride, padding, sides, becomes_convolution):
    pool = keras.layers.AveragePooling2D(window, stride, padding)
    model, kinds, run = rewritten(pool, (*sides, 5))
    assert ("DepthwiseConv2dNative" in kinds) == becomes_convolution == ("AvgPool" not in kinds)
    images = np.random.default_rng(0).normal(size=(3, sides[0] or 9, sides[1], 5)).astype("float32")
    np.testing.assert_allclose(run(tf.constant(images)), model(images), rtol=1e-5, atol=1e-6)
