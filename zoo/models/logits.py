"""The logits of a classifier that ends in softmax: not log-probabilities, which lack their constant."""

import keras

LOGITS = "logits"


def with_logits(model, tensors):
    """Makes a function of a classifier that returns its logits, and tensors on the way to them.

    Args:
        model: A classifier that ends in softmax, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        tensors: A dict of `KerasTensor`s of the model, by any names but `"logits"`.

    Returns:
        A function of normalised images [batch, height, width, channels] to a dict of tensors in their own dtypes: the
        wanted ones, and `logits` [batch, classes].

    Example:
        >>> model = lk.create_model("lambda_resnet_tiny")
        >>> run = with_logits(model, {"c5": model.get_layer("c5_block1_relu").output})
        >>> sorted(run(np.zeros((1, 32, 32, 3), "float32")))
        ['c5', 'logits']
    """
    top = _operations(model)[-1]
    body = keras.Model(model.inputs[0], {**tensors, "top": top.input})

    def run(images):
        outputs = dict(body(images, training=False))
        top_input = outputs.pop("top")
        outputs[LOGITS] = top_input if _is_softmax_alone(top) else _without_activation(top, top_input)
        return outputs

    return run


def logits_layer(model):
    """The operation that makes the logits: the last one, or the one before where that is a softmax alone.

    Args:
        model: As for `with_logits`.
    """
    *_, before, top = _operations(model)
    return before if _is_softmax_alone(top) else top


def _operations(model):
    # Operations instead of layers: what comes before the top may be a function of keras.ops.
    return keras.Model(model.inputs[0], model.outputs[0]).operations


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
