"""What a lambda layer sees: the exact weights with which a query sums the values of its context.

A lambda layer makes no attention maps, but its output is linear in the values. From the output of query n and head h,
y = lambda[n]^T q[n, h], the weights with which it sums the values V follow, without any approximation:

    y[n, h] = sum over m, u of w[n, h, m, u] V[m, u]        w[n, h, m, u] = (K[m, u] + E[n, m, u]) · q[n, h]

K are the normalised keys, E the position embeddings, zero outside the scope, and u runs over the intra-depth
(LambdaNetworks, section 3, https://arxiv.org/abs/2102.08602). Weights have a sign and do not sum to 1.
"""

import dataclasses
import inspect
import typing
import weakref
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from lambda_keras import keras_internals
from lambda_keras.layers import FusedLambdaLayer, LambdaLayer
from lambda_keras.layers.contraction import normalize_keys
from lambda_keras.layers.grids import Grids
from lambda_keras.layers.masks import Masks, intersection
from lambda_keras.layers.relative_position import fit_table

__all__ = ["InteractionMap", "interaction_map", "interaction_maps", "lambda_layers", "map_size", "query_at_pixel"]


@dataclasses.dataclass(frozen=True)
class InteractionMap:
    """The weights of one query of a lambda layer over its context, and what they multiply; NumPy arrays.

    Attributes:
        layer: Name of the layer.
        query: The query's position in the layer's map, `(y, x)`.
        content: Normalised keys times query, `[heads, height, width, intra_depth]`.
        position: Position embeddings times query, in the same shape; zero outside the scope.
        values: The layer's values for this image, `[height, width, intra_depth, value_dim]`.
        bias: What a layer with `use_position_bias` adds to all values of a head, `[heads]`; zeros without.

    Example:
        >>> found = lk.explain.interaction_map(model, image, "c5_block1_lambda", query=(4, 4))
        >>> found.total.mean(axis=(0, -1)).shape  # the mean of all heads, to look at
        (8, 8)
    """

    layer: str
    query: tuple[int, ...]
    content: np.ndarray
    position: np.ndarray
    values: np.ndarray
    bias: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """The weights, content and position together, in the shape of either."""
        return self.content + self.position

    @property
    def output(self) -> np.ndarray:
        """What the layer returns at the query, `[filters]`: the sum of the values by these weights, plus the bias."""
        sums = np.tensordot(self.total, self.values, axes=self.values.ndim - 1)
        return np.ravel(sums + self.bias[:, None])


def lambda_layers(model: keras.Model) -> list[LambdaLayer]:
    """The lambda layers of a model, from its input to its output; those of models inside it are among them.

    Args:
        model: A `keras.Model`.

    Returns:
        A list of `lambda_keras.layers.LambdaLayer`.

    Example:
        >>> [layer.name for layer in lk.explain.lambda_layers(lk.create_model("lambda_resnet_tiny"))]
        ['c4_block2_lambda', 'c5_block1_lambda']
    """
    found: list[LambdaLayer] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += lambda_layers(layer)
        elif isinstance(layer, LambdaLayer):
            found.append(layer)
    # A model may be inside twice.
    return list(dict.fromkeys(found))


def map_size(model: keras.Model, image: typing.Any, layer: str | LambdaLayer) -> tuple[int, ...]:
    """The size of the map on which a layer's queries stand. In a strided block, that is the size before the stride.

    Args:
        model: As in `interaction_map`, and so are the others.
        image: One preprocessed image.
        layer: A lambda layer of the model, or its name.

    Returns:
        `(height, width)`.

    Raises:
        ValueError: The model or the layer does not fit.
    """
    graph, call = _find_call(model, layer)
    inputs = keras.Model(graph.inputs, call.input_tensors[0])
    return tuple(inputs.compute_output_shape((1, *np.shape(image)))[1:-1])


def query_at_pixel(
    model: keras.Model, image: typing.Any, layer: str | LambdaLayer, pixel: Sequence[int]
) -> tuple[int, ...]:
    """The query of a layer's map in whose part of the image a pixel lies.

    Args:
        model: As in `interaction_map`, and so are the others.
        image: One preprocessed image.
        layer: A lambda layer of the model, or its name.
        pixel: `(y, x)`.

    Returns:
        `(y, x)` in the layer's map.

    Raises:
        ValueError: The model, the layer or the pixel does not fit.

    Example:
        >>> lk.explain.query_at_pixel(model, image, "c5_block1_lambda", pixel=(31, 0))
        (7, 0)
    """
    sides = np.shape(image)[:-1]
    pixel = _check_position(pixel, sides, "pixel", "an image")
    size = map_size(model, image, layer)
    return tuple(position * side // pixels for position, side, pixels in zip(pixel, size, sides, strict=True))


def interaction_map(
    model: keras.Model, image: typing.Any, layer: str | LambdaLayer, query: Sequence[int]
) -> InteractionMap:
    """Computes the weights of one query over its context in inference: exact, content and position apart.

    Args:
        model: A functional or a built `Sequential` model with one input.
        image: One image as the model wants it, preprocessed, `[height, width, channels]`.
        layer: A lambda layer of the model or of a model inside it, or its name.
        query: `(y, x)`, a position of the layer's map. `query_at_pixel` finds that of a pixel.

    Returns:
        An `InteractionMap`.

    Raises:
        ValueError: The model, the layer or the query does not fit; the message says what is allowed.

    Example:
        >>> model = lk.create_model("lambda_resnet_tiny")
        >>> image = lk.preprocess_input(np.zeros((32, 32, 3), "uint8"))
        >>> lk.explain.interaction_map(model, image, "c5_block1_lambda", query=(4, 4)).content.shape
        (4, 8, 8, 1)
    """
    (found,) = interaction_maps(model, image, layer, [query])
    return found


def interaction_maps(
    model: keras.Model, image: typing.Any, layer: str | LambdaLayer, queries: Sequence[Sequence[int]]
) -> list[InteractionMap]:
    """The interaction maps of several queries of an image, for which the network runs once.

    It runs as a graph where the backend has one, which takes a fraction of the memory of an eager call.

    Args:
        model: As in `interaction_map`, and so are the others.
        image: One preprocessed image.
        layer: A lambda layer of the model or of a model inside it, or its name.
        queries: Positions `(y, x)`.

    Returns:
        An `InteractionMap` for each query.

    Raises:
        ValueError: The model, the layer or a query does not fit; the message says what is allowed.
    """
    call, before = _call_and_before(model, layer)
    found = call.operation
    if isinstance(found, FusedLambdaLayer) and found.embeddings_plan is not None:
        raise ValueError(
            f"{found.name} holds its embeddings in the order of its fused product. Explain the model before `fuse`: it "
            "returns the same numbers."
        )
    arguments = _arguments(call, before, image)
    inputs = arguments["inputs"]
    context = inputs if arguments["context"] is None else arguments["context"]
    masks = Masks.of_call(found.name, inputs, context, arguments["mask"], arguments["context_mask"])
    grids = Grids.of_shapes(inputs.shape, context.shape)
    pairs, exists = masks.seen_pairs(grids), masks.seen_context()
    places = [_check_position(query, grids.queries, "query", f"the map of {found.name}") for query in queries]
    tensors = found.queries_keys_values(inputs, context, training=arguments["training"], exists=exists)
    return [_map_of(found, tensors, pairs, exists, grids, place) for place in places]


def _map_of(layer, tensors, pairs, exists, grids, place):
    """The `InteractionMap` of one query of a layer, of whose queries, keys and values it is made."""
    queries, keys, values = tensors
    grid, context_grid = grids.queries, grids.context
    index = int(np.ravel_multi_index(place, grid))
    mask = None if pairs is None else pairs[:, index : index + 1]
    seen = intersection(mask, exists)
    queries = queries[:, index : index + 1]
    heads = _to_numpy(queries)[0, 0]
    values = _to_numpy(values).reshape(*context_grid, layer.intra_depth, layer.value_dim)
    content = position = np.zeros((layer.num_heads, *context_grid, layer.intra_depth), values.dtype)
    bias = np.zeros(layer.num_heads, values.dtype)
    if layer.use_content:
        keys = _to_numpy(normalize_keys(keys, layer.key_normalization, mask))
        keys = keys.reshape(*context_grid, layer.intra_depth, layer.key_dim)
        content = np.einsum("hk,...uk->h...u", heads, keys)
    if layer.use_position:
        table = fit_table(ops.cast(layer.position_embedding.table, queries.dtype), grids)
        # As `fit_table` says where an offset is: those from this query to the first position of the context and on.
        first = [side - 1 - start for side, start in zip(grid, place, strict=True)]
        embeddings = table[tuple(slice(f, f + side) for f, side in zip(first, context_grid, strict=True))]
        position = np.einsum("hk,...ku->h...u", heads, _to_numpy(embeddings))
        if seen is not None:
            position = position * _to_numpy(seen).reshape(*context_grid, 1)
    if layer.use_position_bias:
        bias = _to_numpy(layer.apply_position_bias(queries, seen))[0, 0, :, 0]
    return InteractionMap(layer.name, place, content, position, values, bias)


def _find_call(model, layer):
    """The graph of a model, models inside it taken apart, and its node that calls a lambda layer."""
    layers = lambda_layers(model)
    if not layers:
        raise ValueError(f"{model.name} has no lambda layers; other layers, such as attention, are not explained.")
    names = [each.name for each in layers]
    found = [each for each in layers if each is layer or each.name == layer]
    if not found:
        raise ValueError(
            f"`layer` must be a lambda layer of {model.name} or its name, one of {names}. Received: layer={layer!r}"
        )
    if len(found) > 1:
        raise ValueError(
            f"{model.name} has {len(found)} lambda layers named {layer}: give the layer itself, one of "
            f"`lambda_layers(model)`. Received: layer={layer!r}"
        )
    if not keras_internals.has_graph(model) or len(model.inputs) != 1:
        raise ValueError(f"Explaining takes a functional or built Sequential model with one input. Received: {model!r}")
    graph = keras_internals.flat(model)
    calls = [node for node in keras_internals.nodes(graph) if node.operation is found[0]]
    if not calls:
        raise ValueError(
            f"{found[0].name} is inside a model of {model.name} that is called in training, or shares names of layers "
            "with others, so that it is not looked into: explain that model itself."
        )
    if len(calls) > 1:
        raise ValueError(
            f"{found[0].name} is called {len(calls)} times in {model.name}; a layer called once is explained."
        )
    return graph, calls[0]


# Of each model that is alive the layer that was explained last, for the next image: to trace the graph takes longer
# than to run it.
_explained: weakref.WeakKeyDictionary[keras.Model, typing.Any] = weakref.WeakKeyDictionary()


def _call_and_before(model, layer):
    """The node that calls a lambda layer in a model, and the model of what comes before it."""
    if model not in _explained or _explained[model][0] != layer:
        graph, call = _find_call(model, layer)
        before = keras.Model(graph.inputs, call.input_tensors)
        # For few runs compiling takes longer than it saves.
        before.jit_compile = False
        _explained[model] = layer, call, before
    return _explained[model][1:]


def _arguments(call, before, image):
    """The arguments of a layer's call in a model, by their names, for one image."""
    # Keras returns one array without a list.
    outputs = keras.tree.flatten(before.predict_on_batch(ops.convert_to_tensor(image)[None]))
    tensors = [ops.convert_to_tensor(output) for output in outputs]
    replaced = dict(zip(map(id, call.input_tensors), tensors, strict=True))
    positional, named = keras_internals.call_arguments(call, replaced)
    arguments = inspect.signature(call.operation.call).bind(*positional, **named)
    arguments.apply_defaults()
    return arguments.arguments


def _check_position(position, size, name, place):
    """A position as a tuple of ints, or a ValueError that gives the size of the map or image."""
    values = tuple(position) if isinstance(position, (tuple, list, np.ndarray)) else (position,)
    whole = all(isinstance(value, (int, np.integer)) for value in values)
    if not whole or len(values) != len(size) or any(not 0 <= v < side for v, side in zip(values, size, strict=True)):
        raise ValueError(
            f"`{name}` must be a position in {place}, one integer from 0 for each of its sides {tuple(size)}. "
            f"Received: {name}={position!r}"
        )
    return tuple(map(int, values))


def _to_numpy(tensor):
    # NumPy has no bfloat16.
    return ops.convert_to_numpy(ops.cast(tensor, keras.backend.result_type(tensor.dtype, "float32")))
