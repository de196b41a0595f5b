"""The logits of a classifier that ends in softmax: not log-probabilities, which lack their constant."""

from collections.abc import Callable
from typing import Any

import keras

from lambda_keras.keras_internals import flat, node_of

LOGITS = "logits"


def with_logits(model: keras.Model, tensors: dict[str, keras.KerasTensor]) -> Callable[[Any], dict[str, Any]]:
    """Makes a function of a classifier that returns its logits, and tensors on the way to them.

    Args:
        model: A classifier that ends in softmax, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        tensors: A dict of `KerasTensor`s of the model, by any names but `"logits"`; of a model with models inside it,
            those of its `lambda_keras.keras_internals.flat`, which this takes as well.

    Returns:
        A function of normalised images [batch, height, width, channels] to a dict of tensors in their own dtypes: the
        wanted ones, and `logits` [batch, classes].

    Example:
        >>> model = lk.create_model("lambda_resnet_tiny")
        >>> run = with_logits(model, {"c5": model.get_layer("c5_block1_relu").output})
        >>> sorted(run(np.zeros((1, 32, 32, 3), "float32")))
        ['c5', 'logits']
    """
    graph = flat(model)
    top = node_of(graph.outputs[0])
    body = keras.Model(graph.inputs[0], {**tensors, "top": top.input_tensors[0]})

    def run(images):
        outputs = dict(body(images, training=False))
        top_input = outputs.pop("top")
        layer = top.operation
        outputs[LOGITS] = top_input if _is_softmax_alone(layer) else _without_activation(layer, top_input)
        return outputs

    return run


def logits_node(model: keras.Model) -> Any:
    """The node that makes the logits: the last one, or the one before where that is a softmax alone.

    Args:
        model: As for `with_logits`. Models inside it are looked into.
    """
    top = node_of(flat(model).outputs[0])
    return node_of(top.input_tensors[0]) if _is_softmax_alone(top.operation) else top


def _is_softmax_alone(layer):
    return isinstance(layer, (keras.layers.Softmax, keras.layers.Activation))


def _without_activation(layer, inputs):
    """Calls the layer itself, so that the result comes of its own variables whatever its kind, dtype or quantisation.

    The layer is whole again before anyone else runs it: the call is eager, or traced by TensorFlow.
    """
    activation, layer.activation = layer.activation, keras.activations.linear
    try:
        return layer(inputs)
    finally:
        layer.activation = activation
