"""The equations of relative self-attention transcribed to NumPy, in float64, with a loop over queries and heads.

Shaw et al. (https://arxiv.org/abs/1803.02155), Ramachandran et al. (https://arxiv.org/abs/1906.05909) for the window.
Nothing here is shared with the layers.
"""

import itertools

import numpy as np

from tests.lambda_keras.layers.reference import embeddings_of_pairs


def self_attention(layer, inputs, context=None, mask=None, window=None):
    """The output that a global or local attention, already built, must return: `[b, *grid, filters]`.

    Args:
        layer: The layer, of which projections, table and number of heads are read.
        inputs: `[b, *grid, channels]`.
        context: `[b, *context_grid, channels]`.
        mask: `[n, m]`.
        window: For local attention, the side of the window along each axis.
    """
    x = np.asarray(inputs, "float64")
    c = x if context is None else np.asarray(context, "float64")
    query_places = list(itertools.product(*map(range, x.shape[1:-1])))
    context_places = list(itertools.product(*map(range, c.shape[1:-1])))
    q, k, v = (
        np.asarray(projection.get_weights()[0], "float64")
        for projection in (layer.query_projection, layer.key_projection, layer.value_projection)
    )
    heads, key_dim = layer.num_heads, q.shape[-1] // layer.num_heads
    table = layer.position_embedding.get_weights()[0]
    embeddings = embeddings_of_pairs(table, x.shape[1:-1], c.shape[1:-1])[..., 0]
    outputs = np.zeros((len(x), len(query_places), heads, v.shape[-1] // heads))
    for b, n, h in np.ndindex(outputs.shape[:3]):
        seen = [
            m
            for m, place in enumerate(context_places)
            if (mask is None or np.asarray(mask).reshape(len(query_places), -1)[n, m])
            and (
                window is None
                or all(abs(p - o) <= w // 2 for p, o, w in zip(place, query_places[n], window, strict=True))
            )
        ]
        if not seen:
            continue
        query = (x[b][query_places[n]] @ q).reshape(heads, key_dim)[h]
        logits = []
        for m in seen:
            key = (c[b][context_places[m]] @ k).reshape(heads, key_dim)[h]
            logits.append(query @ (key + embeddings[n, m]) / np.sqrt(key_dim))
        weights = np.exp(np.array(logits) - max(logits))
        weights /= weights.sum()
        for m, weight in zip(seen, weights, strict=True):
            outputs[b, n, h] += weight * (c[b][context_places[m]] @ v).reshape(heads, -1)[h]
    return outputs.reshape(*x.shape[:-1], v.shape[-1])


def axial_attention(layer, inputs):
    """The output that an axial attention, already built, must return: one sequence after the other, axis by axis."""
    x = np.asarray(inputs, "float64")
    for axis, attention in enumerate(layer.attentions, 1):
        sides = [range(side) for place, side in enumerate(x.shape[:-1]) if place != axis]
        outputs = np.zeros((*x.shape[:-1], attention.num_heads * attention.value_dim))
        for place in itertools.product(*sides):
            line = (*place[:axis], slice(None), *place[axis:])
            outputs[line] = self_attention(attention, x[line][None])[0]
        x = outputs
    return x
