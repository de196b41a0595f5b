"""fuse: the same network with fewer operations, for inference."""

import collections

import keras

from lambda_keras import keras_internals
from lambda_keras.layers import BatchNormalization, FusedLambdaLayer, LambdaLayer
from lambda_keras.layers.folding import DEPTHWISE, fold

# By exact type: a subclass may do something else in its call.
_LINEAR = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, *DEPTHWISE)
_BATCH_NORMS = (keras.layers.BatchNormalization, BatchNormalization)
# What returns its inputs in inference; stochastic depth is a Dropout.
_IDLE = (
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)


def fuse(model: keras.Model) -> keras.Model:
    """A faster model for inference that returns the same numbers.

    * A batch normalisation that follows a convolution or a dense layer is folded into it.
    * Lambda layers become `lambda_keras.layers.FusedLambdaLayer`: their batch normalisation is folded, the three
      projections are one, and the embeddings E of all pairs of positions are stored instead of the table, where the
      size of the input is known and E takes up to 16 MB a layer. A model of unknown input size is fused but for E.
    * Dropout, stochastic depth and noise are dropped.
    * Models inside the model are fused in the same way; E then needs a known size of the inner model's input.

    What cannot be fused stays as it is: a batch normalisation elsewhere (after a lambda layer, as in timm's networks,
    or a pool); one whose input is an output of the model or goes elsewhere too; a convolution or dense layer that is
    called twice, is quantised or has an activation; a layer that is called with `training=True`; a lambda layer with a
    context or a mask.

    Mixed precision stays: folded weights are computed in float64 and stored in the dtype of the layer's variables, so
    that the outputs differ by the rounding of the compute dtype.

    With E, the order of contraction and its chunks are fixed as well: fuse on the kind of device (CPU or accelerator)
    that will run the model. E counts in the size of each file written, `.keras`, SavedModel or TFLite, once each, in
    the place of R: 2.5 MB a lambda layer on a 14×14 map of key depth 16. Layers that shared a table have an E each.

    Args:
        model: A built functional or `Sequential` model. It stays as it is and shares no variables with the result.

    Returns:
        A functional `keras.Model` with the same name, inputs and outputs. It is not compiled, and its weights are not
        trainable.

    Raises:
        ValueError: `model` is not a functional or built `Sequential` model.

    Example:
        >>> fast = lk.fuse(lk.LambdaResNet50(input_shape=(224, 224, 3)))
        >>> fast.save("lambda_resnet50_fused.keras")
    """
    if not keras_internals.has_graph(model):
        raise ValueError(
            "`fuse` takes a functional or a built Sequential keras.Model, whose graph it can follow. Received: "
            f"{model!r} of type {type(model).__name__}"
        )
    # A plain functional model of the same layers: neither a Sequential nor compiled, so that the copy is neither.
    sequential = isinstance(model, keras.Sequential)
    inputs, outputs = (model.inputs[0], model.outputs[0]) if sequential else (model.input, model.output)
    graph = keras.Model(inputs, outputs, name=model.name)
    calls = _calls(graph)
    folded = _find_folded(graph, calls)
    batch_norms = set(map(id, folded.values()))
    fillers = []

    def copy(layer):
        plain = all(map(keras_internals.is_for_inference, calls[id(layer)]))
        if id(layer) in batch_norms or (plain and type(layer) in _IDLE):
            return _pass_on
        if plain and keras_internals.has_graph(layer):
            return fuse(layer)
        if plain and type(layer) is LambdaLayer and _has_whole_projections(layer):
            twin = FusedLambdaLayer.from_config(FusedLambdaLayer.config_of(layer, _common_shape(calls[id(layer)])))
            fillers.append(lambda: twin.copy_weights(layer))
        elif id(layer) in folded:
            twin = type(layer).from_config({**layer.get_config(), "use_bias": True})
            fillers.append(lambda: twin.set_weights(fold(layer, folded[id(layer)])))
        else:
            twin = type(layer).from_config(layer.get_config())
            if isinstance(layer, keras.Layer):
                fillers.append(lambda: twin.set_weights(layer.get_weights()))
        return twin

    with keras_internals.shared_once():
        fused = keras.models.clone_model(graph, clone_function=copy)
    # Not before: the first call builds a layer.
    for fill in fillers:
        fill()
    fused.trainable = False
    return fused


def _pass_on(inputs, *_, **__):
    return inputs


def _calls(graph):
    """The nodes of a functional model, for each layer by its id."""
    calls = collections.defaultdict(list)
    for node in keras_internals.nodes(graph):
        calls[id(node.operation)].append(node)
    return calls


def _common_shape(nodes):
    """The shape of a layer's inputs; a map of unknown size where its calls differ."""
    shapes = {tuple(node.input_tensors[0].shape) for node in nodes}
    return shapes.pop() if len(shapes) == 1 else (None, None, None)


def _find_folded(graph, calls):
    """For each layer, by its id, the batch normalisation to fold into it."""
    uses = collections.Counter(map(id, graph.outputs))
    for nodes in calls.values():
        for node in nodes:
            uses.update(map(id, node.input_tensors))
    folded = {}
    for nodes in calls.values():
        batch_norm, node = nodes[0].operation, nodes[0]
        if type(batch_norm) not in _BATCH_NORMS or len(nodes) > 1 or not keras_internals.is_for_inference(node):
            continue
        tensor = node.input_tensors[0]
        layer = keras_internals.producer(tensor)
        single = len(calls[id(layer)]) == 1 and uses[id(tensor)] == 1
        if single and _can_fold(layer, batch_norm, len(tensor.shape)):
            folded[id(layer)] = batch_norm
    return folded


def _can_fold(layer, batch_norm, rank):
    if type(layer) not in _LINEAR or layer.activation is not keras.activations.linear or not _is_whole(layer):
        return False
    channel_axis = 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1
    return batch_norm.axis % rank == channel_axis and batch_norm.compute_dtype == layer.compute_dtype


def _is_whole(layer):
    """Whether the kernel is all there is to multiply with: quantised and LoRA layers have more weights."""
    return len(layer.weights) == 1 + layer.use_bias


def _has_whole_projections(lambda_layer):
    layers = keras_internals.sublayers(lambda_layer)
    return all(_is_whole(layer) for layer in layers if isinstance(layer, keras.layers.Dense))
