"""The equations of the lambda layer transcribed to NumPy, in float64, with loops where the paper has sums.

LambdaNetworks, section 3 (https://arxiv.org/abs/2102.08602). Nothing here is shared with the layer: the position
embeddings are looked up pair by pair, and normalisation and contraction follow the letters of the paper.
"""

import itertools

import numpy as np


def embeddings_of_pairs(table, query_grid, context_grid):
    """E[n, m, k, u] = R[position(m) - position(n)], zero for offsets that the table does not hold."""
    table = np.asarray(table, "float64")
    queries = list(itertools.product(*map(range, query_grid)))
    contexts = list(itertools.product(*map(range, context_grid)))
    zero_offset = [offsets // 2 for offsets in table.shape[:-2]]
    embeddings = np.zeros((len(queries), len(contexts), *table.shape[-2:]))
    for n, query in enumerate(queries):
        for m, context in enumerate(contexts):
            index = [z + c - q for z, c, q in zip(zero_offset, context, query, strict=True)]
            if all(0 <= i < t for i, t in zip(index, table.shape, strict=False)):
                embeddings[n, m] = table[tuple(index)]
    return embeddings


def normalized_keys(keys, how):
    """Keys [m, k, u] of one context, normalised over m."""
    if how == "softmax":
        powers = np.exp(keys - keys.max(axis=0, keepdims=True))
        return powers / powers.sum(axis=0, keepdims=True)
    if how == "l2":
        return keys / np.sqrt((keys**2).sum(axis=0, keepdims=True))
    return keys


def batch_norm(x, weights, epsilon, training, exists=None):
    gamma, beta, mean, variance = weights
    if training:
        rows = x.reshape(-1, x.shape[-1]) if exists is None else x[np.asarray(exists).reshape(x.shape[:-1])]
        mean, variance = rows.mean(axis=0), rows.var(axis=0)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def lambda_layer(layer, inputs, context=None, mask=None, training=False, exists=None):
    """The output that `layer`, already built, must return: `[b, *grid, filters]`.

    A mask is `[n, m]` or `[b, n, m]`. Where inputs, which are the context, do not exist, statistics leave them out.
    """
    x = np.asarray(inputs, "float64")
    c = x if context is None else np.asarray(context, "float64")
    batch, query_grid, context_grid = x.shape[0], x.shape[1:-1], c.shape[1:-1]
    n, m = int(np.prod(query_grid)), int(np.prod(context_grid))
    h, k, u, v = layer.num_heads, layer.key_dim, layer.intra_depth, layer.value_dim

    def weights(sublayer):
        return [np.asarray(weight, "float64") for weight in sublayer.get_weights()]

    q = x.reshape(batch, n, -1) @ weights(layer.query_projection)[0]
    values = c.reshape(batch, m, -1) @ weights(layer.value_projection)[0]
    if layer.use_batch_norm:
        q = batch_norm(q, weights(layer.query_batch_norm), layer.batch_norm_epsilon, training, exists)
        values = batch_norm(values, weights(layer.value_batch_norm), layer.batch_norm_epsilon, training, exists)
    q = q.reshape(batch, n, h, k)
    if layer.query_softmax:
        q = np.exp(q) / np.exp(q).sum(axis=-1, keepdims=True)
    values = values.reshape(batch, m, u, v)

    embeddings = np.zeros((n, m, k, u))
    if layer.use_position:
        embeddings = embeddings_of_pairs(layer.position_embedding.get_weights()[0], query_grid, context_grid)
    keys = np.zeros((batch, m, k, u))
    if layer.use_content:
        keys = (c.reshape(batch, m, -1) @ weights(layer.key_projection)[0]).reshape(batch, m, u, k)
        keys = keys.transpose(0, 1, 3, 2)

    outputs = np.zeros((batch, n, h, v))
    masks = np.ones((n, m), bool) if mask is None else np.asarray(mask, bool)
    masks = np.broadcast_to(masks.reshape(-1, n, m), (batch, n, m))
    for b, query in itertools.product(range(batch), range(n)):
        seen = masks[b, query]
        if not seen.any():
            continue
        position_lambda = np.einsum("mku,muv->kv", embeddings[query, seen], values[b, seen])
        if layer.use_position_bias:
            position_lambda += np.asarray(layer.position_bias, "float64")[:, None]
        content_lambda = np.zeros((k, v))
        if layer.use_content:
            content_keys = normalized_keys(keys[b, seen], layer.key_normalization)
            content_lambda = np.einsum("mku,muv->kv", content_keys, values[b, seen])
        outputs[b, query] = q[b, query] @ (content_lambda + position_lambda)
    return outputs.reshape(batch, *query_grid, h * v)
